//! The page's own functions and classes, as `engine.d.ts` lists them.

mod adapter;
mod describe;
#[cfg(feature = "whole")]
mod files;
#[cfg(feature = "whole")]
mod gpu;
mod js;
mod lab;
#[cfg(feature = "whole")]
mod painter;
#[cfg(feature = "whole")]
mod picture;
#[cfg(feature = "whole")]
mod picture_gpu;
mod start;
