//! The dashboard: live results in the browser, compiled to WebAssembly.
//!
//! One way through: `feed` reads the socket, `board` folds messages into state, the pure modules (`news`,
//! `standings`, `places`, `freshness`, `charts/*`) make of it what is to be seen, and `pages` and `components` show
//! that. All but `feed`, `charts`, `theme` and the views runs, and is tested, on the host too.

pub mod app;
pub mod board;
pub mod charts;
pub mod components;
pub mod feed;
pub mod format;
pub mod freshness;
pub mod history;
pub mod news;
pub mod pages;
pub mod palette;
pub mod places;
pub mod standings;
pub mod theme;

pub use app::App;
