//! The dashboard: live results in the browser, compiled to WebAssembly.
//!
//! One way through: `feed` follows the server, `wire` reads what comes, `board` folds messages into state, the pure
//! modules (`news`, `order`, `standings`, `places`, `parts`, `race`, `pace`, `tiles`, `spot`, `quality`, `freshness`, `charts/*`) make of
//! it what is to be seen, and `pages` and `components` show that. What the reader looks at is an `address`. All but
//! `feed`, `charts`, `navigation`, `download`, `theme` and the views runs, and is tested, on the host too.

pub mod address;
pub mod app;
pub mod board;
pub mod charts;
pub mod components;
pub mod download;
pub mod feed;
pub mod format;
pub mod freshness;
pub mod glossary;
pub mod history;
pub mod intl;
pub mod map_art;
pub mod navigation;
pub mod news;
pub mod order;
pub mod outlines;
pub mod pace;
pub mod pages;
pub mod palette;
pub mod parts;
pub mod place_history;
pub mod places;
pub mod quality;
pub mod race;
pub mod replay;
pub mod settings;
pub mod spot;
pub mod standings;
pub mod table;
pub mod texts;
pub mod theme;
pub mod tiles;
pub mod timeline;
pub mod wall;
pub mod wire;

pub use app::App;
