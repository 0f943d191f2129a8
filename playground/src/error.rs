//! What can go wrong, in words that can be shown as they are.

use std::fmt;

/// What kind of error it is: the page goes on with the CPU where the device is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// There is no GPU, or it has been lost.
    Device,
    /// Every model has diverged.
    Diverged,
    /// Anything else.
    Other,
}

/// An error with a message for the reader of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of error it is.
    pub kind: Kind,
    /// The message.
    pub message: String,
}

/// A result with a message for the reader of the page.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the ordinary kind.
    pub fn new(message: impl Into<String>) -> Self {
        Self { kind: Kind::Other, message: message.into() }
    }

    /// The name that a page's `Error` has.
    pub const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Device => "DeviceError",
            Kind::Diverged => "DivergedError",
            Kind::Other => "Error",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<wgrad::Error> for Error {
    fn from(error: wgrad::Error) -> Self {
        let kind = match error {
            wgrad::Error::DeviceLost | wgrad::Error::NoGpu(_) => Kind::Device,
            wgrad::Error::Diverged { .. } => Kind::Diverged,
            _ => Kind::Other,
        };
        Self { kind, message: error.to_string() }
    }
}
