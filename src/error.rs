//! What can go wrong, each error with what was found and what was allowed.

use std::sync::Arc;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that a function of this crate refuses or reports.
///
/// A trainer or model that returns an error is left as it was.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument is outside its allowed range.
    #[error("{what} is {found}; allowed: {allowed}")]
    Argument {
        /// The argument.
        what: String,
        /// Its value.
        found: String,
        /// What would have been accepted.
        allowed: String,
    },
    /// A slice or a file has another number of elements than its shape demands.
    #[error("{what} has {found} elements, but its shape {shape:?} demands {}", demanded(.shape))]
    Shape {
        /// The slice or tensor.
        what: String,
        /// Its length.
        found: usize,
        /// The shape it should have.
        shape: Vec<usize>,
    },
    /// A value is NaN or infinite.
    #[error("{what} holds {value} at element {index}; only finite numbers are allowed")]
    NotFinite {
        /// The slice or tensor.
        what: String,
        /// The first such element, counted from 0 in row-major order.
        index: usize,
        /// What stands there.
        value: f64,
    },
    /// The loss cannot follow the last activation.
    #[error("the loss {loss} does not follow the activation {activation}; it needs {needs}")]
    LossActivation {
        /// The name of the loss asked for.
        loss: &'static str,
        /// The name of the last layer's activation.
        activation: &'static str,
        /// The name of the activation that the loss is defined for.
        needs: &'static str,
    },
    /// A buffer would be larger than the device can make or bind.
    #[error("{what} needs {bytes} bytes, but the device allows {allowed}")]
    TooLarge {
        /// What would not fit.
        what: String,
        /// Its size.
        bytes: u64,
        /// The device's limit.
        allowed: u64,
    },
    /// A limit of the device other than a size is too low for a kernel.
    #[error("the device's limit {limit} is {found}, but {needed} is needed")]
    Limit {
        /// The name of the field of `wgpu::Limits`.
        limit: &'static str,
        /// The device's value.
        found: u64,
        /// The value needed.
        needed: u64,
    },
    /// No adapter was found, or it gave no device.
    #[error("no GPU: {0}")]
    NoGpu(String),
    /// The device, or the computer, has no memory left.
    #[error("no memory is left for {0}")]
    OutOfMemory(String),
    /// WGSL of the application's own that does not compile, or does what it may not.
    #[error("{what} is refused: {message}")]
    Snippet {
        /// The loss or the activation, by its name.
        what: String,
        /// The compiler's words. Their line numbers are those of the WGSL that was given.
        message: String,
    },
    /// wgpu refused a call. This is a defect of this crate: please report it.
    #[error("wgpu refused {what}: {message}")]
    Wgpu {
        /// What was being made.
        what: String,
        /// wgpu's own words.
        message: String,
    },
    /// Something in this crate is not as it should be. This is a defect: please report it.
    #[error("internal error: {0}")]
    Internal(String),
    /// The device is lost: destroyed, reset by its driver, or unplugged.
    #[error("the device is lost")]
    DeviceLost,
    /// A loss, a gradient or a parameter stopped being finite.
    ///
    /// The parameters are the last finite ones.
    #[error("model {model} diverged at step {step}: its loss or gradient is no longer finite")]
    Diverged {
        /// The first model of the population that diverged.
        model: usize,
        /// The step, counted from 0.
        step: u64,
    },
    /// A file of parameters cannot be read as what was asked for.
    #[error("{tensor}: {problem}")]
    File {
        /// The tensor, or `file` where no single tensor is to blame.
        tensor: String,
        /// What is wrong with it.
        problem: String,
        /// The error of the library or the system that found it.
        source: Option<Cause>,
    },
}

/// The number of elements of a shape.
fn demanded(shape: &[usize]) -> String {
    let elements = shape.iter().try_fold(1_usize, |all, side| all.checked_mul(*side));
    elements.map_or_else(|| "more than there can be".into(), |elements| elements.to_string())
}

impl Error {
    pub(crate) fn argument(
        what: impl Into<String>,
        found: impl ToString,
        allowed: impl Into<String>,
    ) -> Self {
        Self::Argument { what: what.into(), found: found.to_string(), allowed: allowed.into() }
    }

    pub(crate) fn file(tensor: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::File { tensor: tensor.into(), problem: problem.into(), source: None }
    }

    /// A file's problem that a library or the system found.
    pub(crate) fn file_because(
        tensor: impl Into<String>,
        problem: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        let source = Some(Cause(Arc::new(source)));
        Self::File { tensor: tensor.into(), problem: problem.into(), source }
    }
}

/// The error of another library that an [`Error`] comes from. Two are equal if they say the same.
#[derive(Debug, Clone)]
pub struct Cause(Arc<dyn std::error::Error + Send + Sync>);

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
