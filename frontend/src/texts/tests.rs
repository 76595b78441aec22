//! Whether every language has every text of the code, with the same gaps.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::*;

/// The catalogue of a language as it lies in the folder.
fn of(language: Language) -> Catalogue {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let lines = language.file().map(|file| fs::read_to_string(folder.join(file)).unwrap());
    Catalogue::of(language, lines.unwrap_or_default().leak())
}

/// What the code says: texts, and nouns as pairs.
fn texts_of_the_code() -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for file in sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for call in ["tr(", "say!("] {
            texts.extend(calls(source, call).filter_map(|inside| literals(inside).into_iter().next()));
        }
        for inside in calls(source, "counted(") {
            if let [.., one, many] = literals(inside).as_slice() {
                texts.insert(format!("{one} | {many}"));
            }
        }
    }
    texts
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    found
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs")
        })
        .collect()
}

/// What stands between the parentheses of each call.
fn calls<'a>(source: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    source.match_indices(name).filter_map(move |(start, _)| {
        let before = source[..start].chars().next_back();
        if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_') {
            return None;
        }
        let inside = &source[start + name.len()..];
        let mut depth = 1;
        let mut quoted = false;
        let mut escaped = false;
        for (position, letter) in inside.char_indices() {
            match letter {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '(' if !quoted => depth += 1,
                ')' if !quoted => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(&inside[..position]);
            }
        }
        None
    })
}

fn literals(inside: &str) -> Vec<String> {
    inside.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn gaps(text: &str) -> BTreeSet<String> {
    text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name.to_owned()).collect()
}

fn others() -> impl Iterator<Item = Catalogue> {
    Language::ALL.iter().skip(1).map(|language| of(*language))
}

#[test]
fn every_language_has_every_text() {
    let code = texts_of_the_code();
    assert!(code.len() > 200, "the search of the code finds its texts: {}", code.len());
    for catalogue in others() {
        let known: BTreeSet<String> = catalogue.texts.keys().map(|text| (*text).to_owned()).collect();
        let missing: Vec<_> = code.difference(&known).collect();
        assert!(missing.is_empty(), "{:?} lacks {missing:#?}", catalogue.language);
        let unused: Vec<_> = known.difference(&code).collect();
        assert!(unused.is_empty(), "{:?} has what nobody says: {unused:#?}", catalogue.language);
    }
}

#[test]
fn translations_have_the_gaps_of_the_text_and_nouns_all_their_forms() {
    for catalogue in others() {
        for (english, translation) in &catalogue.texts {
            if english.contains(" | ") {
                let forms = if catalogue.language == Language::Arabic { 6 } else { 2 };
                assert_eq!(translation.split(" | ").count(), forms, "{english}");
            } else {
                assert_eq!(gaps(english), gaps(translation), "{:?}: {english}", catalogue.language);
            }
        }
    }
}

#[test]
fn gaps_are_filled_once_and_names_stand_for_themselves() {
    let english = of(Language::English);
    let said = english.fill("{name} leads by {margin}", &[("name", &"{margin}"), ("margin", &"3 votes")]);
    assert_eq!(said, "{margin} leads by 3 votes");
    let arabic = of(Language::Arabic);
    let said = arabic.fill("{name} leads by {margin}", &[("name", &"Ada"), ("margin", &"3")]);
    assert!(said.contains("\u{2068}Ada\u{2069}") && !said.contains("leads"), "{said}");
}

#[test]
fn a_list_runs_in_the_direction_of_its_language() {
    let items = ["Ada".to_owned(), "Ben".to_owned()];
    assert_eq!(of(Language::German).list(&items), "Ada, Ben");
    let arabic = of(Language::Arabic).list(&items);
    assert_eq!(arabic, "\u{200f}\u{2068}Ada\u{2069}، \u{2068}Ben\u{2069}");
}

#[test]
fn nouns_have_the_form_that_their_number_asks_for() {
    let counted = |language, number: u64| of(language).counted(number, &number.to_string(), "vote", "votes");
    assert_eq!([0, 1, 2].map(|number| counted(Language::English, number)), ["0 votes", "1 vote", "2 votes"]);
    assert_eq!(
        [0, 1, 2].map(|number| counted(Language::German, number)),
        ["0 Stimmen", "1 Stimme", "2 Stimmen"]
    );
    assert_eq!([1, 2].map(|number| counted(Language::Spanish, number)), ["1 voto", "2 votos"]);
    let arabic = [0, 1, 2, 3, 11, 100, 103].map(|number| Language::Arabic.form(number));
    assert_eq!(arabic, [0, 1, 2, 3, 4, 5, 3]);
}

#[test]
fn a_language_is_known_by_the_beginning_of_its_tag() {
    let languages = ["de-AT", "es-419", "ar", "pt-BR", ""].map(Language::of_tag);
    use Language::{Arabic, English, German, Spanish};
    assert_eq!(languages, [German, Spanish, Arabic, English, English]);
}
