//! The tests that run in a browser, or in Node on Chrome's WebGPU: nothing may block, and an error
//! arrives later than the call that caused it.
#![cfg(target_family = "wasm")]
#![allow(clippy::expect_used)]

mod device;
mod faults;
mod frames;
#[path = "../../common/random.rs"]
mod random;
mod trainings;

use std::error::Error;
use wasm_bindgen::prelude::*;

/// What a test has found, in words, or why it failed.
type Outcome = Result<String, Box<dyn Error>>;

/// Fails a test with a message where a condition does not hold.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        let holds: bool = $condition;
        if !holds {
            return Err(format!($($message)+).into());
        }
    };
}
pub(crate) use ensure;

fn log(line: &str) {
    web_sys::console::log_1(&line.into());
}

/// Runs every test. Returns how many have failed.
#[wasm_bindgen]
pub async fn run() -> u32 {
    std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
    let (mut tests, mut failures) = (0, 0);
    macro_rules! tests {
        ($($room:ident::$name:ident),* $(,)?) => {$(
            let start = js_sys::Date::now();
            let outcome = $room::$name().await;
            let seconds = (js_sys::Date::now() - start) / 1e3;
            tests += 1;
            failures += u32::from(outcome.is_err());
            let (result, found) = match outcome {
                Ok(found) => ("ok", found),
                Err(error) => ("FAILED", error.to_string()),
            };
            log(&format!("{result:6} {:48} {seconds:6.1} s  {found}", stringify!($name)));
        )*};
    }
    tests![
        trainings::the_articles_losses_are_those_of_f64,
        trainings::random_networks_are_the_cpus,
        trainings::passes_are_the_cpus,
        trainings::bits_repeat,
        frames::frames_show_what_was_learnt,
        frames::a_readback_leaves_the_trainer_free,
        faults::bad_input_is_an_error,
        faults::a_refused_kernel_is_an_error,
        faults::a_lost_device_is_an_error,
        faults::a_lost_device_that_says_so_is_an_error_at_once,
        trainings::the_self_check_passes,
    ];
    log(&format!("{tests} tests, {failures} failed"));
    failures
}
