//! How a made-up ballot is written down, in few words or in all those of the existing pipelines, and what is wrong with it.
//!
//! Knows nothing of who votes, when and for whom.

use serde::Serialize;
use tallyboard_shared::{
    Timestamp,
    election::{Breakdown, Candidate},
    reason::Reason,
    vote::{Address, Text, Vote},
};

use super::Electorate;
use crate::simulate::mix;

/// A ballot about to be written, and what is wrong with it.
pub(super) struct Paper<'a> {
    pub(super) voter_id: &'a str,
    pub(super) candidate: &'a Candidate,
    pub(super) cast_at: Timestamp,
    pub(super) breakage: Option<Reason>,
}

/// The rest of a record of the existing pipelines, made up.
#[derive(Serialize)]
struct Person<'a> {
    voter_id: &'a str,
    voter_name: String,
    date_of_birth: &'a str,
    gender: &'a str,
    nationality: &'a str,
    registration_number: String,
    address: PersonAddress<'a>,
    email: String,
    phone_number: String,
    cell_number: String,
    picture: String,
    registered_age: u64,
    candidate_id: &'a str,
    candidate_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    party_affiliation: Option<&'a str>,
    biography: &'a str,
    campaign_platform: &'a str,
    photo_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    voting_time: Option<String>,
    vote: i64,
}

#[derive(Serialize)]
struct PersonAddress<'a> {
    street: String,
    city: &'a str,
    state: &'a str,
    country: &'a str,
    postcode: u64,
}

/// What is made up about a voter.
struct Traits {
    draw: u64,
    gender: &'static str,
    age: u32,
}

impl Traits {
    fn of(seed: u64, number: u64) -> Self {
        let draw = mix(seed ^ 0x7065_7273_6f6e, number);
        let years = u32::try_from(draw % 70).expect("a remainder of 70 is small");
        Self { draw, gender: if draw & 1 == 0 { "female" } else { "male" }, age: 18 + years }
    }
}

impl Paper<'_> {
    fn candidate_id(&self) -> &str {
        if self.breakage == Some(Reason::UnknownCandidate) { "nobody" } else { self.candidate.id.as_str() }
    }

    fn location<'a>(&self, location: &'a str) -> &'a str {
        if self.breakage == Some(Reason::UnknownLocation) { "Nowhere" } else { location }
    }

    fn time(&self) -> Option<String> {
        let present = self.breakage != Some(Reason::MissingField);
        present.then(|| self.cast_at.strftime("%Y-%m-%d %H:%M:%S").to_string())
    }

    fn weight(&self) -> i64 {
        if self.breakage == Some(Reason::InvalidWeight) { 2 } else { 1 }
    }

    /// No more than is asked for: what the definition counts by, and what every vote needs.
    pub(super) fn short(&self, electorate: &Electorate, location: &str, number: u64) -> Vec<u8> {
        let counts_by = |breakdown| electorate.election.breakdowns.contains(&breakdown);
        let voter = Traits::of(electorate.seed, number);
        let contest = (electorate.election.contests.len() > 1).then(|| &electorate.election.contests[0].id);
        let vote = Vote {
            voter_id: Some(self.voter_id.into()),
            candidate_id: Some(self.candidate_id().into()),
            voting_time: self.time().map(Text::from),
            contest_id: contest.map(|contest| contest.as_str().into()),
            address: Some(Address { state: Some(self.location(location).into()) }),
            vote: Some(self.weight()),
            gender: counts_by(Breakdown::Gender).then(|| voter.gender.into()),
            registered_age: counts_by(Breakdown::AgeBand).then_some(voter.age),
            ..Vote::default()
        };
        serde_json::to_vec(&vote).expect("a vote has only text keys")
    }

    /// As the existing pipelines write their records.
    pub(super) fn full(&self, electorate: &Electorate, location: &str, number: u64) -> Vec<u8> {
        let Traits { draw, gender, age } = Traits::of(electorate.seed, number);
        let name = format!("Voter Number-{}", draw % 100_000);
        let person = Person {
            voter_id: self.voter_id,
            voter_name: name,
            date_of_birth: "1977-05-16T04:42:11.153Z",
            gender,
            nationality: "Marennese",
            registration_number: format!("registration{draw:016x}"),
            address: PersonAddress {
                street: format!("{} Made-up Street", draw % 9000),
                city: "Made-up Town on the River",
                state: self.location(location),
                country: "Republic of Marenne",
                postcode: draw % 90_000 + 10_000,
            },
            email: format!("voter.{draw:x}@example.com"),
            phone_number: format!("(000) {:07}", draw % 10_000_000),
            cell_number: format!("(001) {:07}", draw >> 8 & 0x7f_ffff),
            picture: format!("https://example.com/portraits/medium/voters/{}.jpg", draw % 100),
            registered_age: age.into(),
            candidate_id: self.candidate_id(),
            candidate_name: &self.candidate.name,
            party_affiliation: self.candidate.party.as_deref(),
            biography: "A brief biography of a candidate who does not exist, about as long as such texts usually are.",
            campaign_platform: "Key promises of a campaign that nobody leads, about as long as those of the seeds.",
            photo_url: self.candidate.photo_url.clone().unwrap_or_default(),
            voting_time: self.time(),
            vote: self.weight(),
        };
        serde_json::to_vec(&person).expect("a record has only text keys")
    }
}
