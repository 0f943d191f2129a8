//! Every kernel and a set of networks against the CPU in f64, on the user's own GPU.

mod kernels;
mod networks;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::numeric::{Random, Real};
use std::fmt;

/// One line of a self-check.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How many cases.
    pub cases: usize,
    /// The largest error of all cases: a share of the largest element of what was expected.
    pub error: f64,
    /// The error allowed.
    pub bound: f64,
    /// The error of a case that could not be run.
    pub failure: Option<String>,
}

impl Check {
    /// Whether the check passed; an error that is NaN fails.
    pub fn passed(&self) -> bool {
        self.failure.is_none() && self.error <= self.bound
    }
}

/// What [`self_check`] found. Prints as a table that can be pasted into a bug report.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SelfCheck {
    /// The device, its driver and back end.
    pub device: String,
    /// The checks.
    pub checks: Vec<Check>,
}

impl SelfCheck {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }
}

impl fmt::Display for SelfCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "wgrad {} on {}", env!("CARGO_PKG_VERSION"), self.device)?;
        writeln!(f, "{:44} {:>5}  {:>8}  {:>7}  result", "check", "cases", "error", "allowed")?;
        for check in &self.checks {
            let result = match (&check.failure, check.passed()) {
                (Some(failure), _) => failure,
                (None, true) => "ok",
                (None, false) => "FAILED",
            };
            let Check { name, cases, error, bound, .. } = check;
            writeln!(f, "{name:44} {cases:>5}  {error:>8.1e}  {bound:>7.0e}  {result}")?;
        }
        let failed = self.checks.iter().filter(|check| !check.passed()).count();
        match failed {
            0 => writeln!(f, "all {} checks passed", self.checks.len()),
            _ => writeln!(f, "{failed} of {} checks FAILED", self.checks.len()),
        }
    }
}

/// Runs every kernel and a set of networks on `gpu` and compares them with the CPU in f64: one to
/// three minutes, nearly all of them the driver's compiler.
///
/// ```no_run
/// let check = wgrad::self_check(&wgrad::Gpu::new()?);
/// print!("{check}");
/// assert!(check.passed());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[cfg(not(target_family = "wasm"))]
pub fn self_check(gpu: &Gpu) -> SelfCheck {
    pollster::block_on(self_check_async(gpu, |_| ()))
}

/// [`self_check`] without blocking, for a browser. The page stays responsive between its cases.
/// `each` is called after every check, to show how far it is.
pub async fn self_check_async(gpu: &Gpu, mut each: impl FnMut(&Check)) -> SelfCheck {
    let mut runner = Runner { gpu, checks: Vec::new(), each: &mut each };
    runner.products().await;
    runner.step().await;
    runner.measures().await;
    runner.encodings().await;
    runner.networks().await;
    runner.inferences().await;
    SelfCheck { device: gpu.to_string(), checks: runner.checks }
}

struct Runner<'a> {
    gpu: &'a Gpu,
    checks: Vec<Check>,
    each: &'a mut dyn FnMut(&Check),
}

/// Pseudo-random numbers in ±1, exact in f32.
fn numbers(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..length).map(|_| f64::from(f32::of(random.uniform(-1.0, 1.0)))).collect()
}

fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| f32::of(*v).to_ne_bytes()).collect()
}

fn words(values: &[u32]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from).collect()
}

/// 0 where the counts agree, else infinite.
fn equal<T: PartialEq + ?Sized>(found: &T, expected: &T) -> f64 {
    if found == expected { 0.0 } else { f64::INFINITY }
}

/// Sizes round the edges of tiles and workgroups.
const SIZES: [usize; 5] = [1, 3, 17, 64, 65];

impl Runner<'_> {
    /// Adds a check whose cases `run` gives the errors of.
    async fn check(
        &mut self,
        name: impl Into<String>,
        bound: f64,
        run: impl AsyncFnOnce(&Gpu) -> Result<Vec<f64>>,
    ) {
        let (errors, failure) = match run(self.gpu).await {
            Ok(errors) => (errors, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        // Not max(): it drops a NaN.
        let worst = |a: f64, b: f64| if b <= a { a } else { b };
        let error = errors.iter().fold(0.0, |a, b| worst(a, *b));
        let check = Check { name: name.into(), cases: errors.len(), error, bound, failure };
        (self.each)(&check);
        self.checks.push(check);
    }
}
