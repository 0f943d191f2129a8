//! A network as a WGSL function, for shaders of the application's own.

mod encodings;
mod looped;
mod names;
mod text;
mod unrolled;

use crate::error::{Error, Result};
use crate::network::encoding::{EncodingRange, LOOPS_OF_VALUE, encoding_ranges};
use crate::network::{Encoding, Mlp, Packed, Packing, Parameters, Storage, check_texture};
use crate::numeric::{narrow, to_u32, wide};
use crate::wgsl::{check_function_name, helper};
use std::ops::Range;
use text::Text;

/// The widest layer whose units are written out, so that a compiler keeps them in registers; the
/// units of wider ones go through arrays of the function's own.
pub const MAX_WRITTEN_OUT: usize = 64;

/// Iterations of all loops of one call: llvmpipe silently ends those of an invocation after 65,535.
const MAX_ITERATIONS: usize = 60_000;

/// Bytes of a uniform buffer that every device can bind.
const MAX_UNIFORM: u64 = 65_536;

/// Every device binds a buffer from a multiple of so many bytes on.
const BINDING_STEP: u64 = 256;

/// Terms of a sum that one iteration of a loop takes.
const TERMS: usize = 8;

/// The largest number of an f16.
const MAX_F16: f32 = 65_504.0;

/// Where the function's parameters come from.
#[derive(Debug, Clone, Copy)]
enum Values<'a> {
    /// A storage buffer, or a uniform one.
    Bound { group: u32, binding: u32, uniform: bool },
    /// Constants of the text.
    Baked(&'a Parameters),
}

/// Which model of a population the function is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Fixed(usize),
    Argument,
}

/// The text of a network as a WGSL function, for vertex, fragment and compute shaders.
///
/// Of a network of I inputs and O outputs named `field`, [`WgslFunction::text`] gives
///
/// ```wgsl
/// fn field(x: array<f32, I>) -> array<f32, O>
/// ```
///
/// which returns what `predict` does, up to rounding. Its parameters are read from a buffer
/// ([`WgslFunction::binding`]), live while a training goes on, or stand in the text
/// ([`Parameters::wgsl`]). An encoding is part of the function.
///
/// The text defines `field`, `field_parameters` (the buffer), `field_gradient` (on request) and names
/// that begin with `field__`. A name is a letter, then letters, digits and `_`. It is no word of
/// WGSL, has no `__`, and does not end in `_`, `_gradient` or `_parameters`. So networks of different
/// names fit in one module, and clash with nothing of an application that leaves those names alone.
///
/// Layers of up to 64 units, the encoding's outputs among them, are written out in vectors of four,
/// without arrays and loops, so that a compiler keeps the units in registers. Wider layers loop over
/// arrays.
///
/// ```
/// use wgrad::{Activation, Mlp};
/// let mlp = Mlp::new(3).layer(32, Activation::Sine).layer(1, Activation::Identity);
/// let text = mlp.wgsl("field").binding(1, 0).gradient().text()?;
/// assert!(text.contains("fn field(x: array<f32, 3>) -> array<f32, 1>"));
/// assert!(text.contains("fn field_gradient(x: array<f32, 3>) -> array<f32, 3>"));
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// The buffer is a [`Trainer`](crate::Trainer)'s or a [`Model`](crate::Model)'s
/// (`parameter_buffer`), bound whole as read-only storage or as [`WgslFunction::uniform`]. A vertex
/// shader needs a device on which it may read storage buffers at all
/// (`DownlevelFlags::VERTEX_STORAGE`).
#[derive(Debug, Clone)]
#[must_use]
pub struct WgslFunction<'a> {
    mlp: &'a Mlp,
    models: usize,
    name: String,
    values: Values<'a>,
    storage: Storage,
    which: Which,
    gradient: bool,
    f16: bool,
    loops: bool,
    scalars: bool,
    /// Group and first binding of textures that stand for the tables.
    textures: Option<[u32; 2]>,
}

impl Mlp {
    /// This network as the WGSL function `name`, whose parameters are read from the storage buffer
    /// at group 0, binding 0, unless [`WgslFunction::binding`] says otherwise.
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        WgslFunction {
            mlp: self,
            models: 1,
            name: name.to_owned(),
            values: Values::Bound { group: 0, binding: 0, uniform: false },
            storage: Storage::F32,
            which: Which::Fixed(0),
            gradient: false,
            f16: false,
            loops: false,
            scalars: false,
            textures: None,
        }
    }
}

impl Parameters {
    /// The network as the WGSL function `name` with these parameters as constants of the text: no
    /// buffer, no binding. For layers of up to [`MAX_WRITTEN_OUT`] units and encodings without tables.
    ///
    /// ```
    /// use wgrad::{Activation, Init, Mlp};
    /// let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    /// let parameters = Init::Auto.sample(&mlp, 1, 0)?;
    /// assert!(!parameters.wgsl("shade").text()?.contains("var<storage"));
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        WgslFunction { values: Values::Baked(self), ..self.mlp().wgsl(name) }.models(self.models())
    }
}

impl Packed {
    /// The network as the WGSL function `name`, which reads a buffer of [`Packed::bytes`].
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        self.mlp().wgsl(name).models(self.models()).storage(self.storage())
    }
}

impl WgslFunction<'_> {
    /// The buffer holds parameters in this storage: [`Packed::bytes`], [`Packed::without_tables`].
    pub const fn storage(mut self, storage: Storage) -> Self {
        self.storage = storage;
        self
    }

    /// Samples textures instead of tables, with the filter of the GPU: those of
    /// [`Packed::textures`], bound from `binding` on, and behind them a sampler that repeats and is
    /// linear between texels and between levels. The buffer of parameters is
    /// [`Packed::without_tables`], with the layers in halves, or in f32 after
    /// [`WgslFunction::storage`]. The filter's weights have eight bits or so: the function is what
    /// `predict` says but for a 256th of the difference of neighbouring texels.
    ///
    /// ```
    /// use wgrad::{Activation, Init, Mlp, Storage, encoding::Grid};
    /// let mlp = Mlp::new(3).encode(3, Grid::texture(64, 8)).layer(3, Activation::Sigmoid);
    /// let packed = Init::Auto.sample(&mlp, 1, 0)?.pack(Storage::Snorm8)?;
    /// let text = packed.wgsl("look").binding(1, 0).textures(1, 1).text()?;
    /// assert!(text.contains("@group(1) @binding(2) var look__texture_1: texture_2d<f32>;"));
    /// assert!(text.contains("@group(1) @binding(3) var look__sampler: sampler;"));
    /// assert_eq!(packed.textures(0)?.len(), 2);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    pub const fn textures(mut self, group: u32, binding: u32) -> Self {
        self.textures = Some([group, binding]);
        self
    }

    /// How a model's parameters lie in the buffer.
    fn packing(&self) -> Packing {
        match self.textures {
            Some(_) => Packing::without_tables(self.mlp, self.storage),
            None => Packing::new(self.mlp, self.storage),
        }
    }

    /// Loads the parameters one by one, whatever could be loaded as a vector.
    pub(crate) const fn scalars(mut self) -> Self {
        self.scalars = true;
        self
    }

    /// The buffer holds the parameters of `models` models.
    pub(crate) const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// Binds the parameters' buffer at another place.
    pub const fn binding(mut self, group: u32, binding: u32) -> Self {
        if let Values::Bound { uniform, .. } = self.values {
            self.values = Values::Bound { group, binding, uniform };
        }
        self
    }

    /// Binds the parameters' buffer as a uniform one. Of two layers of 16 units, NVIDIA's open compiler
    /// (NAK, Ampere) then makes 0.31 times the instructions: a multiply-add reads a uniform operand where it
    /// stands. Those of AMD and Intel make as many. On software devices it was measured up to 4 times as
    /// fast as storage. It is for one known model (or any of whole vectors of four words), layers of up to
    /// [`MAX_WRITTEN_OUT`] units, and parameters of all models of at most 64 KiB.
    ///
    /// The tables of grids stay in a storage buffer, at the function's binding: lanes read different
    /// elements of them. The layers are then bound once more as a uniform buffer, at the binding behind
    /// it: the bytes [`WgslFunction::uniform_range`] of the same buffer. This is for one known model, whose
    /// layers have at most 64 KiB.
    ///
    /// ```
    /// use wgrad::{Activation, Mlp, encoding::Grid};
    /// let mlp = Mlp::new(2).encode(2, Grid::default()).layer(64, Activation::Relu).layer(3, Activation::Sigmoid);
    /// let function = mlp.wgsl("field").binding(1, 0).uniform();
    /// let text = function.text()?;
    /// assert!(text.contains("@group(1) @binding(0) var<storage, read> field_parameters"));
    /// assert!(text.contains("@group(1) @binding(1) var<uniform> field__layers"));
    /// let range = function.uniform_range(); // of the trainer's parameter buffer
    /// assert!(range.start % 256 == 0 && range.end - range.start < 65_536);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    pub const fn uniform(mut self) -> Self {
        if let Values::Bound { group, binding, .. } = self.values {
            self.values = Values::Bound { group, binding, uniform: true };
        }
        self
    }

    /// The bytes of the parameters' buffer that [`WgslFunction::uniform`] binds as a uniform one: all of
    /// them, or, of a network with tables, those of its model's layers, from a multiple of 256 on.
    pub fn uniform_range(&self) -> Range<u64> {
        let packing = self.packing();
        let bytes =
            |models: usize| wide(models).saturating_mul(wide(packing.words)).saturating_mul(4);
        let (first, end) = match self.which {
            Which::Fixed(model) if self.has_tables() => {
                let first = wide(packing.first_layer() / self.in_word()).saturating_mul(4);
                let first = bytes(model).saturating_add(first);
                (first / BINDING_STEP * BINDING_STEP, bytes(model.saturating_add(1)))
            }
            _ => (0, bytes(self.models)),
        };
        first..end.div_ceil(16).saturating_mul(16)
    }

    /// [`WgslFunction::uniform`] where a uniform buffer can hold what it binds.
    pub(crate) fn uniform_if_it_fits(self) -> Self {
        let uniform = self.clone().uniform();
        if uniform.check_uniform().is_ok() { uniform } else { self }
    }

    /// Takes model `index` of a population. Without this, it is the first.
    pub const fn model(mut self, index: usize) -> Self {
        self.which = Which::Fixed(index);
        self
    }

    /// Adds a last argument `model: u32`: the model of a population that is meant. Beyond the last
    /// model, it is the last.
    pub const fn any_model(mut self) -> Self {
        self.which = Which::Argument;
        self
    }

    /// Adds a second function, the gradient with respect to the inputs. Of one output it is
    /// `fn NAME_gradient(x: array<f32, I>) -> array<f32, I>`; of several it is
    /// `fn NAME_gradient(x: array<f32, I>, dy: array<f32, O>) -> array<f32, I>`, the gradient of
    /// Σ dy·y.
    pub const fn gradient(mut self) -> Self {
        self.gradient = true;
        self
    }

    /// Loops over arrays whatever the widths, as wide layers do. The text is short, and the function
    /// is slower. This is for a driver that takes long to compile: two layers of 64 units took Mesa's
    /// llvmpipe a minute written out, and seconds in loops.
    pub const fn loops(mut self) -> Self {
        self.loops = true;
        self
    }

    /// Computes products and sums in f16. Arguments, results and activation functions stay f32. The
    /// text begins with `enable f16;` and so must the module; the device needs
    /// `Features::SHADER_F16`.
    ///
    /// Take it with [`Storage::F16`], whose parameters are bound as f16: AMD's and NVIDIA's GPUs multiply
    /// two halves by two others in one instruction. Of two layers of 32 units their compilers make 0.6 to
    /// 0.8 times the instructions of f32; NVIDIA's does from a buffer that is
    /// [`uniform`](WgslFunction::uniform), beside f32 from such a one. Constants of the text
    /// ([`Parameters::wgsl`]) in f16 make 0.6 to 0.8 times those in f32 there. Take f32 for GPUs of Intel's:
    /// their multiply-add reads an f32 of the buffer where it stands, and a half from a register of its
    /// own, 2 times as many. Parameters in a buffer of f32 are converted at
    /// each use: 1.2 to 2.9 times as many.
    pub const fn f16(mut self) -> Self {
        self.f16 = true;
        self
    }

    /// The text.
    ///
    /// # Errors
    /// A network that cannot be built; a name that [`WgslFunction`] does not allow; a model that there
    /// is not;
    /// constants for layers of more than [`MAX_WRITTEN_OUT`] units, for tables or, in f16, beyond ±65,504; a
    /// network too large for one invocation.
    pub fn text(&self) -> Result<String> {
        let definitions = self.definitions()?;
        let mut text = Text::new(self);
        if self.f16 {
            text.w.line("enable f16;");
        }
        text.w.line(format_args!("// {}: by wgrad {}.", self.mlp, env!("CARGO_PKG_VERSION")));
        text.parameters();
        text.w.push(&definitions);
        Ok(text.w.finish())
    }

    /// The text without the declaration of its buffer, which is `NAME_parameters` of the type
    /// [`WgslFunction::buffer_type`].
    pub(crate) fn definitions(&self) -> Result<String> {
        self.check()?;
        let mut text = Text::new(self);
        text.storage();
        text.function(false);
        if self.gradient {
            text.function(true);
        }
        text.pieces();
        text.grids();
        Ok(text.w.finish())
    }

    fn check(&self) -> Result<()> {
        self.mlp.check()?;
        self.check_textures()?;
        let elements = wide(self.models).saturating_mul(wide(self.packing().words));
        to_u32("the number of parameters of all models", elements)?;
        check_function_name(&self.name)?;
        if let Which::Fixed(index) = self.which
            && index >= self.models
        {
            return Err(Error::argument(
                "the model of the WGSL function",
                index,
                format!("below {}", self.models),
            ));
        }
        if let Values::Baked(parameters) = self.values {
            if self.storage != Storage::F32 {
                return Err(Error::argument(
                    "the storage of a WGSL function with constants",
                    format!("{:?}", self.storage),
                    "F32, or a buffer",
                ));
            }
            if self.loops {
                return Err(Error::argument(
                    "the form of a WGSL function with constants",
                    "loops",
                    "written out",
                ));
            }
            if self.mlp.widest() > MAX_WRITTEN_OUT {
                return Err(Error::argument(
                    "the widest layer of a WGSL function with constants",
                    self.mlp.widest(),
                    format!("at most {MAX_WRITTEN_OUT}"),
                ));
            }
            if self.mlp.encoding_parameters() > 0 {
                return Err(Error::argument(
                    "the parameters of a WGSL function with an encoding's tables",
                    "constants",
                    "a buffer",
                ));
            }
            if self.which == Which::Argument {
                return Err(Error::argument(
                    "the model of a WGSL function with constants",
                    "an argument",
                    "one of them, by `model`",
                ));
            }
            let most = if self.f16 { MAX_F16 } else { f32::MAX };
            if let Some(value) = parameters.values().iter().find(|value| !(value.abs() <= most)) {
                return Err(Error::argument(
                    "a constant of the WGSL function",
                    value,
                    format!("within ±{most}"),
                ));
            }
        }
        if self.is_uniform() {
            self.check_uniform()?;
        }
        let iterations = self.iterations();
        if iterations > MAX_ITERATIONS {
            return Err(Error::argument(
                "the iterations of all loops of the WGSL function",
                iterations,
                format!("at most {MAX_ITERATIONS}"),
            ));
        }
        Ok(())
    }

    /// Checks that a uniform buffer can hold what it is to.
    fn check_uniform(&self) -> Result<()> {
        let range = self.uniform_range();
        let bytes = range.end - range.start;
        if self.has_tables() && self.which == Which::Argument {
            return Err(Error::argument(
                "the model of a WGSL function with tables and a uniform buffer",
                "an argument",
                "one of them, by `model`",
            ));
        }
        if bytes > MAX_UNIFORM {
            return Err(Error::argument(
                "the bytes of a WGSL function's uniform buffer",
                bytes,
                format!("at most {MAX_UNIFORM}"),
            ));
        }
        if !self.is_vec4() {
            return Err(Error::argument(
                "the parameters' buffer of a WGSL function of any model or of wide layers",
                "a uniform one",
                "storage",
            ));
        }
        Ok(())
    }

    fn check_textures(&self) -> Result<()> {
        if self.textures.is_none() {
            return Ok(());
        }
        for (what, found, fits) in [
            ("gradient", "one".to_owned(), !self.gradient),
            ("model", "an argument".to_owned(), self.which != Which::Argument),
        ] {
            if !fits {
                let what = format!("the {what} of a WGSL function that samples textures");
                return Err(Error::argument(what, found, "one known model, no gradient"));
            }
        }
        let grids = self.mlp.encoding.iter().filter_map(|part| match &part.encoding {
            Encoding::Grid(grid) => Some(grid),
            _ => None,
        });
        grids.into_iter().try_for_each(check_texture)
    }

    fn is_unrolled(&self) -> bool {
        self.mlp.widest() <= MAX_WRITTEN_OUT && !self.loops
    }

    /// Iterations of all loops of a call, with those that end them.
    pub(crate) fn iterations(&self) -> usize {
        let encoding = self.encoding_iterations();
        if self.is_unrolled() {
            return encoding;
        }
        let product =
            |rows: usize, terms: usize| rows.saturating_mul(terms / TERMS + 2).saturating_add(2);
        let forward = self.mlp.ranges().into_iter().map(|r| product(r.shape[0], r.shape[1]));
        let back =
            self.mlp.ranges().into_iter().map(|r| product(r.shape[1], r.shape[0]) + r.shape[0]);
        let encoded = if self.mlp.encoding.is_empty() { 0 } else { 2 * self.mlp.layer_inputs(0) };
        let ends = self.mlp.inputs + self.mlp.outputs() + encoded + 2;
        let ends = ends.saturating_add(encoding);
        let sum = |sum: usize, next: usize| sum.saturating_add(next);
        let all = forward.fold(ends, sum);
        if self.gradient { back.fold(all, sum) } else { all }
    }

    /// Iterations of the loops of the encodings' functions, with those that end them.
    fn encoding_iterations(&self) -> usize {
        let of_part = |place: EncodingRange| match place.encoding {
            Encoding::Grid(_) if self.textures.is_some() => 0,
            Encoding::Grid(grid) => {
                let (levels, corners) = match grid.mips {
                    // The values of two levels, and their vjps.
                    true => (1, 4 * grid.corners_looped(place.inputs.len())),
                    false => (grid.levels as usize, grid.corners_looped(place.inputs.len())),
                };
                let chunks = (grid.features_per_level / grid.chunk()) as usize;
                levels.saturating_mul(chunks).saturating_mul(corners)
            }
            _ => place.outputs.len().saturating_mul(LOOPS_OF_VALUE),
        };
        let once =
            encoding_ranges(self.mlp).into_iter().map(of_part).fold(0, usize::saturating_add);
        // The function itself, and the gradient: forward and back.
        if self.gradient { once.saturating_mul(3) } else { once }
    }

    /// The type that sums and units have.
    const fn scalar(&self) -> &'static str {
        if self.f16 { "f16" } else { "f32" }
    }

    /// Whether the parameters are bound four by four: every index is then a constant behind the
    /// model's first, and most rows begin at a multiple of four.
    fn is_vec4(&self) -> bool {
        let words = self.packing().words;
        self.is_unrolled()
            && !self.scalars
            && (self.which != Which::Argument || words.is_multiple_of(4))
    }

    /// The type of the buffer of parameters. It has a fixed size: an index that is a constant needs no
    /// check then.
    pub(crate) fn buffer_type(&self) -> String {
        let uniform = self.is_uniform() && !self.are_layers_apart();
        self.array_of(self.models * self.packing().words, uniform)
    }

    /// The type of the uniform buffer of the layers alone.
    pub(crate) fn layers_type(&self) -> String {
        let range = self.uniform_range();
        self.array_of(narrow((range.end - range.start) / 4), true)
    }

    /// The type of a buffer of so many words.
    fn array_of(&self, words: usize, uniform: bool) -> String {
        if uniform && let Some(eight) = self.eight_halves() {
            return format!("array<{eight}, {}>", words.div_ceil(4));
        }
        let (scalar, elements) = match self.storage {
            _ if self.has_halves() => ("f16", 2 * words),
            Storage::F32 => ("f32", words),
            _ => ("u32", words),
        };
        match self.is_vec4() {
            true => format!("array<vec4<{scalar}>, {}>", elements.div_ceil(4)),
            false => format!("array<{scalar}, {elements}>"),
        }
    }

    /// Whether the buffer's elements are of the type f16, which is the type of the sums then.
    fn has_halves(&self) -> bool {
        self.f16 && self.storage == Storage::F16
    }

    /// Elements of the layers in a word of the storage.
    const fn in_word(&self) -> usize {
        match self.storage {
            Storage::F32 => 1,
            _ => 2,
        }
    }

    /// Whether the buffer holds tables of grids.
    fn has_tables(&self) -> bool {
        self.textures.is_none() && self.mlp.encoding_parameters() > 0
    }

    /// Whether the layers are read from a uniform buffer, and the tables from another.
    pub(crate) fn are_layers_apart(&self) -> bool {
        self.is_uniform() && self.has_tables()
    }

    /// The name of the struct of eight halves, which a uniform buffer of halves holds: the elements of an
    /// array lie 16 bytes apart there.
    fn eight_halves(&self) -> Option<String> {
        (self.is_uniform() && self.has_halves()).then(|| helper(&self.name, "eight_halves"))
    }

    pub(crate) const fn is_uniform(&self) -> bool {
        matches!(self.values, Values::Bound { uniform: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::names::renamed;
    use super::*;
    use crate::network::Activation;
    use crate::network::Init;

    fn mlp(width: usize) -> Mlp {
        Mlp::new(2).layer(width, Activation::Gelu).layer(1, Activation::Sigmoid)
    }

    #[test]
    fn every_function_of_a_piece_is_renamed_and_nothing_else_is() {
        let text = "// sigmoid\nfn sigmoid_value(z: f32) -> f32 {\n    return logistic(z);\n}\nfn logistic(z: f32) -> f32 { let sigmoid = 1; return exp(z); }";
        let renamed = renamed(text, "net", "part0_");
        assert!(renamed.contains("fn net__part0_sigmoid_value(z: f32)"), "{renamed}");
        assert!(renamed.contains("return net__part0_logistic(z);"), "{renamed}");
        assert!(renamed.contains("let sigmoid = 1; return exp(z);"), "{renamed}");
        assert!(!renamed.contains("//"), "{renamed}");
    }

    /// A function whose name is a word of WGSL would hide a built-in that the text calls.
    #[test]
    fn whatever_the_text_calls_is_its_own_or_no_function_name() {
        let bare = |activation: &Activation| (Mlp::new(2), *activation);
        let encoded = |encoding: Encoding| {
            let inputs = if encoding.check(2).is_ok() { 2 } else { 3 };
            (Mlp::new(inputs).encode(inputs, encoding), Activation::Relu)
        };
        let all = Activation::ALL.iter().map(bare);
        for (start, activation) in all.chain(Encoding::all().into_iter().map(encoded)) {
            for width in [5, MAX_WRITTEN_OUT + 1] {
                let mlp = start.clone().layer(width, activation).layer(2, activation);
                let text = mlp.wgsl("net").any_model().gradient().f16().text().unwrap();
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                for (at, _) in text.match_indices(['(', '<']) {
                    let start = text[..at].rfind(|c| !is_word(c)).map_or(0, |i| i + 1);
                    let word = &text[start..at];
                    let own = ["net", "net_gradient"].contains(&word) || word.starts_with("net__");
                    let attribute = ["group", "binding"].contains(&word);
                    assert!(own || attribute || check_function_name(word).is_err(), "{word}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mlp = mlp(3);
        for name in ["", "3d", "a b", "a-b", "größe", "_x", "loop", "dot", "f_gradient", "f__g"] {
            assert!(mlp.wgsl(name).text().is_err(), "{name:?}");
        }
        assert!(mlp.wgsl("f").model(1).text().is_err());
        assert!(mlp.wgsl("f").models(2).model(1).text().is_ok());
        assert!(Mlp::new(2).wgsl("f").text().is_err());
        let sampled = |width| Init::Auto.sample(&self::mlp(width), 1, 0).unwrap();
        assert!(sampled(MAX_WRITTEN_OUT).wgsl("f").text().is_ok());
        assert!(sampled(MAX_WRITTEN_OUT + 1).wgsl("f").text().is_err());
        assert!(sampled(3).wgsl("f").any_model().text().is_err());
        assert!(sampled(3).wgsl("f").loops().text().is_err());
        assert!(mlp.wgsl("f").loops().uniform().text().is_err());
        assert!(mlp.wgsl("f").loops().text().unwrap().contains("for ("));
        let large = |value: f32| {
            let mut values = sampled(3).values().to_vec();
            values[4] = value;
            Parameters::new(self::mlp(3), 1, values)
        };
        assert!(large(65_504.0).unwrap().wgsl("f").f16().text().is_ok());
        assert!(large(65_505.0).unwrap().wgsl("f").f16().text().is_err());
        assert!(large(65_505.0).unwrap().wgsl("f").text().is_ok());
        assert!(mlp.wgsl("f").uniform().text().unwrap().contains("var<uniform> f_parameters"));
        assert!(mlp.wgsl("f").uniform().any_model().text().is_err());
        assert!(self::mlp(MAX_WRITTEN_OUT + 1).wgsl("f").uniform().text().is_err());
        // 13 parameters: 1,260 models are 65,520 bytes.
        assert!(mlp.wgsl("f").models(1260).uniform().text().is_ok());
        assert!(mlp.wgsl("f").models(1261).uniform().text().is_err());
        let huge = Mlp::new(900).layer(900, Activation::Relu).layer(1, Activation::Identity);
        let message = huge.wgsl("f").text().unwrap_err().to_string();
        assert!(message.contains("iterations"), "{message}");
    }
}
