//! Made-up votes of every kind, each with a note of what it says: what the product reads from the bytes, the checks
//! know without reading them.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _, rngs::Xoshiro256PlusPlus};
use tallyboard::journal::{NewRecord, SIMULATION_HEADER};
use tallyboard_shared::{Timestamp, reason::Reason};

/// When simulated time begins: 2026-11-03 08:00:00 UTC.
pub(crate) const EPOCH_MS: i64 = 1_793_692_800_000;

/// The header that holds the number of the ballot; the product knows nothing of it.
const NUMBER_HEADER: &str = "ballot";

/// What a record says.
#[derive(Clone, Debug)]
pub(crate) enum Note {
    /// Nothing that could be counted, by any definition.
    Unreadable(Reason),
    /// A ballot.
    Ballot(Ballot),
}

/// A readable ballot.
#[derive(Clone, Debug)]
pub(crate) struct Ballot {
    pub(crate) voter: String,
    pub(crate) contest: Option<&'static str>,
    pub(crate) candidate: &'static str,
    pub(crate) location: &'static str,
    pub(crate) cast_at_ms: i64,
    pub(crate) simulated: bool,
    /// The groups of voters that it is in.
    pub(crate) gender: &'static str,
    pub(crate) age_band: &'static str,
}

/// Every id that counted votes can have, so that they needn't be copied.
const IDS: [&str; 17] = [
    "president",
    "council",
    "mayor",
    "election",
    "ada",
    "ben",
    "cyd",
    "dot",
    "eve",
    "zed",
    "n",
    "s",
    "w",
    "e",
    "x",
    "Northford",
    "Southwick",
];

/// An id that isn't copied.
pub(crate) fn known(id: &str) -> &'static str {
    IDS.into_iter().find(|known| *known == id).expect("worlds have few ids")
}

/// What a ballot says of the voter's gender, and the group that this is.
const GENDERS: [(&str, &str); 7] = [
    ("", "unknown"),
    (r#""gender":"female""#, "female"),
    (r#""gender":"Female""#, "female"),
    (r#""gender":"male""#, "male"),
    (r#""gender":"diverse""#, "other"),
    (r#""gender":7"#, "unknown"),
    (r#""gender":"""#, "unknown"),
];

/// What a ballot says of the voter's age, and the group that this is.
const AGES: [(&str, &str); 9] = [
    ("", "unknown"),
    (r#""registered_age":17"#, "under_18"),
    (r#""registered_age":18"#, "18_24"),
    (r#""registered_age":34"#, "25_34"),
    (r#""registered_age":35"#, "35_44"),
    (r#""registered_age":45"#, "45_54"),
    (r#""registered_age":64"#, "55_64"),
    (r#""registered_age":65"#, "65_plus"),
    (r#""registered_age":"44""#, "unknown"),
];

/// Where votes come from.
pub(crate) struct Ballots {
    rng: Xoshiro256PlusPlus,
    voters: u32,
    notes: Vec<Note>,
    sent: Vec<NewRecord>,
}

impl Ballots {
    pub(crate) fn new(seed: u64, voters: u32) -> Self {
        let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { rng, voters, notes: Vec::new(), sent: Vec::new() }
    }

    /// What a record on the votes topic says.
    pub(crate) fn note(&self, record: &NewRecord) -> &Note {
        let (_, number) =
            record.headers.iter().find(|(name, _)| name == NUMBER_HEADER).expect("every record has a number");
        let number = u32::from_le_bytes(number.as_slice().try_into().expect("written below"));
        &self.notes[number as usize]
    }

    /// One more record, cast about `now_ms` of simulated time.
    pub(crate) fn next(&mut self, now_ms: i64) -> NewRecord {
        let kind = self.rng.random_range(0..100);
        if kind < 8 && !self.sent.is_empty() {
            let again = self.rng.random_range(0..self.sent.len());
            return self.sent[again].clone();
        }
        let (record, note) = if kind < 20 { self.rubbish(now_ms) } else { self.ballot(EPOCH_MS + now_ms) };
        self.noted(record, note)
    }

    /// A record that no definition counts, for a partition in turn.
    pub(crate) fn next_rubbish(&mut self, now_ms: i64) -> NewRecord {
        let (mut record, note) = self.rubbish(now_ms);
        record.key = None;
        self.noted(record, note)
    }

    fn noted(&mut self, mut record: NewRecord, note: Note) -> NewRecord {
        let number = u32::try_from(self.notes.len()).expect("runs are short");
        record.headers.push((NUMBER_HEADER.to_owned(), number.to_le_bytes().to_vec()));
        self.notes.push(note);
        self.sent.push(record.clone());
        record
    }

    fn voter(&mut self) -> String {
        format!("voter-{}", self.rng.random_range(0..self.voters))
    }

    fn ballot(&mut self, now_ms: i64) -> (NewRecord, Note) {
        let mut pick = |choices: &[&'static str]| choices[self.rng.random_range(0..choices.len())];
        let contest = match pick(&["president", "president", "president", "council", "council", "", "mayor"])
        {
            "" => None,
            contest => Some(contest),
        };
        let candidate = match contest {
            Some("council") => pick(&["dot", "dot", "eve", "eve", "eve", "ada"]),
            _ => pick(&["ada", "ada", "ada", "ben", "ben", "ben", "cyd", "cyd", "dot", "zed"]),
        };
        let location = pick(&["n", "n", "n", "Northford", "s", "s", "Southwick", "w", "w", "e", "x"]);
        let cast_at_ms = now_ms
            + match self.rng.random_range(0..100) {
                0..70 => self.rng.random_range(-3_000..1_000),
                70..88 => self.rng.random_range(-30_000..1_000),
                88..94 => self.rng.random_range(-400_000..-30_000),
                94..97 => self.rng.random_range(1_000..100_000),
                _ => self.rng.random_range(290_000..310_000),
            };
        let (cast_at_ms, voting_time) = self.voting_time(cast_at_ms);
        let voter = self.voter();
        let simulated = self.rng.random_ratio(1, 6);
        let mut fields = vec![
            format!(r#""voter_id":"{voter}""#),
            format!(r#""candidate_id":"{candidate}""#),
            format!(r#""voting_time":"{voting_time}""#),
            match self.rng.random() {
                true => format!(r#""location_id":"{location}""#),
                false => {
                    format!(r#""address":{{"street":"1 {voter} Row","state":"{location}","postcode":7}}"#)
                }
            },
        ];
        if let Some(contest) = contest {
            fields.push(format!(r#""contest_id":"{contest}""#));
        }
        for field in [r#""vote":1"#, r#""biography":"\u00e9 {}""#] {
            if self.rng.random_ratio(1, 3) {
                fields.push(field.to_owned());
            }
        }
        let (gender_field, gender) = GENDERS[self.rng.random_range(0..GENDERS.len())];
        let (age_field, age_band) = AGES[self.rng.random_range(0..AGES.len())];
        let told = [gender_field, age_field].into_iter().filter(|field| !field.is_empty());
        fields.extend(told.map(str::to_owned));
        let turn = self.rng.random_range(0..fields.len());
        fields.rotate_left(turn);
        let mut record = NewRecord::new(voter.clone(), format!("{{{}}}", fields.join(",")));
        if simulated {
            record.headers.push((SIMULATION_HEADER.to_owned(), Vec::new()));
        }
        let ballot = Ballot { voter, contest, candidate, location, cast_at_ms, simulated, gender, age_band };
        (record, Note::Ballot(ballot))
    }

    /// One of the two formats, and the moment that it really says.
    fn voting_time(&mut self, ms: i64) -> (i64, String) {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap();
        if self.rng.random() {
            return (ms, time(ms).to_string());
        }
        let whole = ms.div_euclid(1000) * 1000;
        (whole, time(whole).strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    fn rubbish(&mut self, now_ms: i64) -> (NewRecord, Note) {
        let voter = self.voter();
        let plain = format!(
            r#"{{"voter_id":"{voter}","candidate_id":"ada","voting_time":"2026-11-03 08:00:00","location_id":"n","contest_id":"president","x":{now_ms}}}"#
        );
        let (value, reason) = match self.rng.random_range(0..12) {
            0 => (String::new(), Reason::Malformed),
            1 => (plain[..plain.len() / 2].to_owned(), Reason::Malformed),
            2 => (format!("[{plain}]"), Reason::Malformed),
            3 => (plain.replace("08:00:00", "8 o'clock"), Reason::Malformed),
            4 => (plain.replace("\"x\":", "\"voter_id\":\"w\",\"x\":"), Reason::Malformed),
            5 => (plain.replace(&voter, ""), Reason::MissingField),
            6 => (plain.replace("candidate_id", "candidate"), Reason::MissingField),
            7 => (plain.replace("\"n\"", "null"), Reason::MissingField),
            8 => (plain.replace("\"x\":", "\"vote\":2,\"x\":"), Reason::InvalidWeight),
            9 => (plain.replace("\"x\":", "\"vote\":0,\"x\":"), Reason::InvalidWeight),
            10 => (plain.replace(&voter, &"v".repeat(257)), Reason::TooLarge),
            _ if self.rng.random_ratio(1, 20) => (
                plain.replace("\"x\":", &format!("\"y\":\"{}\",\"x\":", "y".repeat(66_000))),
                Reason::TooLarge,
            ),
            _ => return (NewRecord::new("k", vec![0xff, b'{', b'}']), Note::Unreadable(Reason::Malformed)),
        };
        let key = (!matches!(reason, Reason::Malformed)).then(|| voter.into_bytes());
        (NewRecord { key, value: value.into_bytes(), headers: Vec::new() }, Note::Unreadable(reason))
    }
}

/// The definitions that worlds count by; without one where the text is empty.
pub(crate) fn definition(rng: &mut Xoshiro256PlusPlus, edition: u32) -> String {
    if rng.random_ratio(1, 5) {
        return String::new();
    }
    let mut pick = |choices: &[&'static str]| choices[rng.random_range(0..choices.len())];
    let time = |ms: i64| Timestamp::from_millisecond(EPOCH_MS + ms).unwrap();
    let settings = BTreeMap::from([
        ("mode", pick(&["\"simulation\"", "\"simulation\"", "\"test\"", "\"live\""]).to_owned()),
        ("late_policy", pick(&["\"count\"", "\"count\"", "\"reject\""]).to_owned()),
        ("allowed_lateness", pick(&["\"1s\"", "\"5s\"", "\"1m\""]).to_owned()),
        ("timeline_window", pick(&["\"1m\"", "\"10s\"", "\"1s\""]).to_owned()),
        ("breakdowns", pick(&["[]", "[\"gender\"]", "[\"age_band\", \"gender\"]"]).to_owned()),
        ("embargo", pick(&["\"none\"", "\"none\"", "\"until_close\""]).to_owned()),
        ("disclosure_threshold", pick(&["0", "0", "3"]).to_owned()),
        ("opens_at", format!("\"{}\"", time(-60_000))),
        ("closes_at", format!("\"{}\"", time(pick(&["12000", "90000", "400000"]).parse().unwrap()))),
    ]);
    let settings =
        settings.iter().fold(String::new(), |text, (name, value)| format!("{text}{name} = {value}\n"));
    let regions = rng.random_range(0..3);
    let candidate = |(id, party): (&str, &str)| {
        let party = if party.is_empty() { String::new() } else { format!("party = \"{party}\"\n") };
        format!("[[contests.candidates]]\nid = \"{id}\"\nname = \"{id} {edition}\"\n{party}")
    };
    let place = |id: &str, name: &str, parent: &str, more: &str| {
        let parent = if parent.is_empty() { String::new() } else { format!("parent = \"{parent}\"\n") };
        format!("[[locations]]\nid = \"{id}\"\nname = \"{name}\"\n{parent}{more}\n")
    };
    // None, one, or one within another, which has no ballots of its own.
    let (east, all) = [("", ""), ("e", ""), ("e", "all")][regions];
    let mut above = String::new();
    if regions > 0 {
        above += &place("e", "Eastland", all, "registered_voters = 9");
    }
    if regions > 1 {
        above += &place("all", "All", "", "");
    }
    [
        format!("id = \"simulated\"\ntitle = \"Edition {edition}\"\n{settings}"),
        "[[contests]]\nid = \"president\"\ntitle = \"President\"\n".to_owned(),
        [("ada", "Union"), ("ben", "Reform"), ("cyd", "")].map(candidate).concat(),
        "[[contests]]\nid = \"council\"\ntitle = \"Council\"\n".to_owned(),
        [("dot", "Union"), ("eve", "Reform")].map(candidate).concat(),
        place("n", "Northford", east, "registered_voters = 500"),
        above,
        place("s", "Southwick", east, "registered_voters = 500"),
        place("w", "Westerly", all, "registered_voters = 500\ncontests = [\"president\"]"),
    ]
    .concat()
}
