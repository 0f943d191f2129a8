//! Networks as ONNX files, out and in (feature `onnx`).

mod constants;
mod encodings;
mod expression;
mod graph;
mod proto;
mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::error::Result;
use crate::network::Parameters;
use crate::numeric::Real;
use prost::Message;
use std::path::Path;

impl<T: Real> Parameters<T> {
    /// The bytes of an ONNX file of the network: operator set 15, f32. Its input is `x`
    /// `[rows, inputs]`, its output `y` `[rows, outputs]`, with any number of rows.
    ///
    /// Each layer is a `Gemm` with the weight `layers.0.weight` `[units, inputs]` (`transB`) and an
    /// activation; GELU, SiLU, the exponential, squareplus and the sharp softplus are composed of
    /// simpler operators. The encodings identity, frequency, triangle wave and one blob are written
    /// out, too. ONNX Runtime is tested; Unity Sentis documents the sets 7 to 15.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument): there are several models (take one by [`Parameters::model`]), an
    /// activation of the application's own, or an encoding that ONNX's operators do not say, as a
    /// hash grid. [`Error::NotFinite`](crate::Error::NotFinite) where a value is too large for f32.
    pub fn to_onnx(&self) -> Result<Vec<u8>> {
        Ok(write::model(&self.cast::<f32>()?)?.encode_to_vec())
    }

    /// Reads an ONNX file that is a plain perceptron, and says which network it is:
    /// [`Parameters::mlp`].
    ///
    /// A layer is a `Gemm`, or a `MatMul` with an `Add`, of the layer before and of constants; what
    /// stands between layers must be one of [`Activation::ALL`](crate::Activation::ALL), by one
    /// operator or by several: what they compute is compared with each activation. Elements are
    /// FLOAT, FLOAT16, BFLOAT16 or DOUBLE.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) names the node that is no part of a perceptron, or the constant that cannot
    /// be read.
    pub fn from_onnx(bytes: &[u8]) -> Result<Self> {
        read::model("file", bytes)
    }

    /// Writes the file that [`Parameters::to_onnx`] describes.
    ///
    /// # Errors
    /// The errors of [`Parameters::to_onnx`], and [`Error::File`](crate::Error::File) with the path where it cannot be
    /// written.
    pub fn save_onnx(&self, path: impl AsRef<Path>) -> Result<()> {
        super::write(path.as_ref(), &self.to_onnx()?)
    }

    /// Reads a file as [`Parameters::from_onnx`] does.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) with the path: it cannot be read, or the errors of [`Parameters::from_onnx`].
    pub fn load_onnx(path: impl AsRef<Path>) -> Result<Self> {
        let name = path.as_ref().display().to_string();
        let bytes = super::read(path.as_ref())?;
        read::model(&name, &bytes)
    }
}
