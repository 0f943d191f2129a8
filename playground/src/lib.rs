//! The engine of the playground: networks that learn in a web page.
//!
//! What a training is ([`description`], [`address`]), its points ([`points`], [`csv`]), and the training
//! itself on either device ([`session`]) are plain Rust and are tested natively. The page's own functions and
//! classes stand in `web`, as `engine.d.ts` lists them.

pub mod address;
pub mod carry;
pub mod csv;
pub mod description;
pub mod device;
pub mod error;
pub mod feature;
#[cfg(feature = "whole")]
pub mod files;
pub mod gradients;
pub mod health;
#[cfg(feature = "whole")]
pub mod image;
pub mod maps;
pub mod points;
pub mod random;
pub mod scores;
pub mod session;
pub mod turns;

#[cfg(target_family = "wasm")]
mod web;
