//! Makes the JavaScript that loads a module: `MODULE.wasm DIRECTORY NAME`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let (Some(module), Some(directory), Some(name)) = (paths.next(), paths.next(), paths.next())
    else {
        return Err("a module, a directory and a name are needed".into());
    };
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen
        .web(true)?
        .typescript(false)
        .omit_default_module_path(false)
        .out_name(&name)
        .input_path(module);
    bindgen.generate(directory)?;
    Ok(())
}
