//! The parts of a page: each shows what it is given, and fetches nothing.

pub mod candidate_table;
pub mod chart_panel;
pub mod contest_picker;
pub mod explained;
pub mod face;
pub mod facts;
pub mod figure_table;
pub mod figures;
mod followed;
pub mod footer;
pub mod header;
pub mod headline;
pub mod leader;
pub mod map;
pub mod missing;
pub mod notice;
pub mod panel;
pub mod place_table;
pub mod selector;
pub mod settings_menu;
pub mod spoken;
