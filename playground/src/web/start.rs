//! What runs when the module is loaded.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(start)]
fn start() {
    // A panic ends the module: its words should be found in the console.
    std::panic::set_hook(Box::new(|panic| wasm_bindgen::throw_str(&panic.to_string())));
}
