//! Makes the JavaScript that loads a module: `glue MODULE.wasm DIRECTORY`.

#[cfg(not(target_family = "wasm"))]
fn main() {
    let mut paths = std::env::args().skip(1);
    let (module, directory) = paths.next().zip(paths.next()).expect("a module and a directory");
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.web(true).expect("the kind of page").typescript(false).input_path(module);
    bindgen.generate(directory).expect("the glue");
}

#[cfg(target_family = "wasm")]
fn main() {}
