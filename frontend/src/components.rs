//! The parts of a page: each shows what it is given, and fetches nothing.

pub mod candidate_table;
pub mod contest_picker;
pub mod face;
pub mod figures;
pub mod footer;
pub mod header;
pub mod headline;
pub mod history_table;
pub mod leader;
pub mod notice;
pub mod panel;
pub mod place_table;
