//! The words of the page in the reader's language, and the signs that its numbers are written with.
//!
//! English stands in the code and is the key to the others, which are files in `frontend/texts`: a line for each text,
//! `English = translation`. A test reads the code and finds what a file lacks, so nothing is shown half translated.
//! The language is fixed before the page is built, and only its file is fetched; another one is a new page.

use std::{collections::HashMap, fmt::Display, sync::OnceLock};

use crate::settings::Choice;

/// The languages of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Spanish.
    Spanish,
    /// German.
    German,
    /// Arabic, from right to left.
    Arabic,
}

impl Choice for Language {
    const KEY: &'static str = "tallyboard.language";
    const ALL: &'static [Self] = &[Self::English, Self::Spanish, Self::German, Self::Arabic];

    fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::German => "de",
            Self::Arabic => "ar",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Español",
            Self::German => "Deutsch",
            Self::Arabic => "العربية",
        }
    }
}

impl Language {
    /// The language of a tag like `de-AT`; English where the page has no other.
    #[must_use]
    pub fn of_tag(tag: &str) -> Self {
        Self::parse(tag.split('-').next().unwrap_or_default())
    }

    /// For `Intl`: with digits that charts and files have as well.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en-GB",
            Self::Spanish => "es",
            Self::German => "de",
            Self::Arabic => "ar-u-nu-latn",
        }
    }

    /// Where its lines begin.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::Arabic => "rtl",
            Self::English | Self::Spanish | Self::German => "ltr",
        }
    }

    /// Between the items of a list.
    #[must_use]
    pub fn comma(self) -> &'static str {
        match self {
            Self::Arabic => "، ",
            Self::English | Self::Spanish | Self::German => ", ",
        }
    }

    /// Where its texts are, beside the page; English stands in the code.
    #[must_use]
    pub fn file(self) -> Option<&'static str> {
        match self {
            Self::English => None,
            Self::Spanish => Some("texts/es.txt"),
            Self::German => Some("texts/de.txt"),
            Self::Arabic => Some("texts/ar.txt"),
        }
    }

    /// Which of its forms a noun has beside a number, in the order of the file (CLDR's plural rules).
    fn form(self, number: u64) -> usize {
        match self {
            Self::English | Self::Spanish | Self::German => usize::from(number != 1),
            Self::Arabic => match (number, number % 100) {
                (0..=2, _) => usize::try_from(number).unwrap_or(0),
                (_, 3..=10) => 3,
                (_, 11..=99) => 4,
                _ => 5,
            },
        }
    }
}

/// The texts of a language and the signs of its numbers.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Which.
    pub language: Language,
    texts: HashMap<&'static str, &'static str>,
    /// Between thousands.
    pub group: String,
    /// Before decimals.
    pub decimal: String,
    /// The names of the months.
    pub months: Vec<String>,
}

impl Catalogue {
    /// The catalogue of a language whose file has these lines, with the signs and months of English.
    #[must_use]
    pub fn of(language: Language, lines: &'static str) -> Self {
        let texts = lines.lines().filter_map(|line| line.split_once(" = "));
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        Self {
            language,
            texts: texts.collect(),
            group: ",".to_owned(),
            decimal: ".".to_owned(),
            months: MONTHS.map(str::to_owned).to_vec(),
        }
    }

    /// A text.
    #[must_use]
    pub fn text(&self, english: &'static str) -> &'static str {
        self.texts.get(english).copied().unwrap_or(english)
    }

    /// A text with its gaps filled. Names may run in the other direction than the sentence: each stands for itself.
    #[must_use]
    pub fn fill(&self, english: &'static str, parts: &[(&str, &dyn Display)]) -> String {
        let is_rtl = self.language.direction() == "rtl";
        let mut text = self.text(english).to_owned();
        for (name, part) in parts {
            let part = if is_rtl { format!("\u{2068}{part}\u{2069}") } else { part.to_string() };
            // What fills one gap may look like another.
            text = text.replace(&format!("{{{name}}}"), &part.replace('{', "\u{e000}"));
        }
        text.replace('\u{e000}', "{")
    }

    /// A list within a sentence.
    #[must_use]
    pub fn list(&self, items: &[String]) -> String {
        if self.language.direction() != "rtl" {
            return items.join(self.language.comma());
        }
        let isolated: Vec<_> = items.iter().map(|item| format!("\u{2068}{item}\u{2069}")).collect();
        // Isolates say nothing of the direction of what they stand in: without a mark the list would run from left to right.
        format!("\u{200f}{}", isolated.join(self.language.comma()))
    }

    /// A number with its noun.
    #[must_use]
    pub fn counted(&self, number: u64, words: &str, one: &'static str, many: &'static str) -> String {
        let forms = match self.texts.get(format!("{one} | {many}").as_str()) {
            Some(forms) => forms,
            None if number == 1 => return format!("{words} {one}"),
            None => return format!("{words} {many}"),
        };
        let form = forms.split(" | ").nth(self.language.form(number)).unwrap_or(forms);
        form.replace("{n}", words)
    }
}

static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

/// Fixes the language of the page; only the first call counts.
pub fn speak(catalogue: Catalogue) {
    CATALOGUE.set(catalogue).ok();
}

/// The catalogue of the page.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    CATALOGUE.get_or_init(|| Catalogue::of(Language::English, ""))
}

/// A text in the reader's language.
#[must_use]
pub fn tr(english: &'static str) -> &'static str {
    catalogue().text(english)
}

/// A list within a sentence. Each item runs in its own direction, whatever stands beside it, and all of them in that of
/// the language.
#[must_use]
pub fn list(items: &[String]) -> String {
    catalogue().list(items)
}

/// A text in the reader's language, with its gaps filled by name.
#[macro_export]
macro_rules! say {
    ($english:literal $(, $name:ident = $part:expr)+ $(,)?) => {
        $crate::texts::catalogue().fill($english, &[$((stringify!($name), &$part as &dyn std::fmt::Display)),+])
    };
}

#[cfg(test)]
#[path = "texts/tests.rs"]
mod tests;
