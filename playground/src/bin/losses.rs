//! Prints the losses of an address on the CPU: `losses ADDRESS STEPS...`.

#![cfg_attr(target_family = "wasm", allow(unused_imports))]
use std::process::ExitCode;
use wgrad_playground::error::{Error, Result};
use wgrad_playground::{address, session::Session};

#[cfg(not(target_family = "wasm"))]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_family = "wasm"))]
fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let Some(of) = arguments.next() else {
        return Err(Error::new("losses needs an address and one number of steps or more"));
    };
    let mut session = Session::new(address::read(&of)?, None, None)?;
    for steps in arguments {
        let at: u64 =
            steps.parse().map_err(|_| Error::new(format!("\"{steps}\" is no number of steps")))?;
        let missing = at.checked_sub(session.taken().steps);
        let missing = missing.and_then(|steps| u32::try_from(steps).ok());
        let missing = missing.ok_or_else(|| Error::new("the numbers of steps must grow"))?;
        pollster::block_on(session.train(missing))?;
        let [train, test] = pollster::block_on(session.scores(0))?;
        println!("{at} {} {}", train.loss, test.loss);
    }
    Ok(())
}

#[cfg(target_family = "wasm")]
fn main() {}
