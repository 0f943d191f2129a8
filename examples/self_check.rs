//! Checks every kernel and a set of networks on your GPU against the CPU in f64, and prints a
//! table that can be pasted into a bug report.
//!
//! ```text
//! cargo run --release --example self_check
//! ```

use std::io::IsTerminal;
use std::process::ExitCode;

const HELP: &str = "\
Checks every kernel and a set of networks on your GPU against the CPU in f64.

Usage: self_check

Prints a table that can be pasted into a bug report. Ends with 0 if every check
passed, with 1 if one failed or there is no GPU.

Options:
  -h, --help    This text
";

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().nth(1) {
        if argument == "--help" || argument == "-h" {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        eprintln!("self_check: unknown argument {}; see --help", argument.display());
        return ExitCode::from(2);
    }
    match wgrad::Gpu::new() {
        Err(error) => {
            eprintln!("self_check: {error}");
            ExitCode::FAILURE
        }
        Ok(gpu) => {
            let mut done = 0;
            let shows = std::io::stderr().is_terminal();
            let check = pollster::block_on(wgrad::self_check_async(&gpu, |check| {
                done += 1;
                if shows {
                    eprint!("\r\x1b[2Kcheck {done}: {}", check.name);
                }
            }));
            if shows {
                eprint!("\r\x1b[2K");
            }
            print!("{check}");
            if check.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
    }
}
