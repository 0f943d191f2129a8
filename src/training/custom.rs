//! A loss of the application's own.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::numeric::Real;
use crate::training::{Loss, Mean};
use crate::wgsl::{
    Interned, Piece, Snippet, Writer, check_snippet_name, interned, leaked, snippet_piece,
};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

/// A loss of the application's own: the value and the gradient of one row in WGSL.
///
/// The text is the body of a function that sees these names, returns the row's loss and writes its
/// derivatives with respect to the outputs:
///
/// | name | type | |
/// | --- | --- | --- |
/// | `y` | `array<f32, OUTPUTS>` | the row's outputs, after the last activation |
/// | `t` | `array<f32, OUTPUTS>` | its targets |
/// | `x` | `array<f32, INPUTS>` | its inputs, before any encoding: [`CustomLoss::with_inputs`] |
/// | `g` | `ptr<function, array<f32, OUTPUTS>>` | to be written: `g[i]` is ∂(the row's loss)/∂`y[i]`; 0 at the beginning |
/// | `OUTPUTS`, `INPUTS` | | the numbers of outputs and inputs |
///
/// It calls built-in functions alone. A text that does not compile is refused where a training is
/// first put on a GPU: [`Error::Snippet`] shows the compiler's words. A NaN that it gives is a
/// divergence like any other. The gradient is the application's word: differences check it
/// ([`compare_gradients`](crate::compare_gradients)).
///
/// ```
/// use wgrad::{Activation, CpuTrainer, CustomLoss, Data, Mlp, Optimizer, Train, Training};
/// // The difference of two angles, in turns: 0.9 is near 0.1.
/// let angle = CustomLoss::new(
///     "angle",
///     "let d = y[0] - t[0] - round(y[0] - t[0]);
///      g[0] = 2.0 * d;
///      return d * d;",
/// )?
/// .with_reference(|row| {
///     let d = row.y[0] - row.t[0] - (row.y[0] - row.t[0]).round();
///     row.g[0] = 2.0 * d;
///     d * d
/// });
/// let mlp = Mlp::new(1).layer(8, Activation::Tanh).layer(1, Activation::Identity);
/// let training = Training::new(angle, Optimizer::adam(0.05));
/// let data = Data::new(1, 1, vec![-1.0, 0.0, 1.0], vec![0.9, 0.0, 0.1])?;
/// let mut trainer = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
/// trainer.train(300)?;
/// assert!(trainer.losses()?.last()[0] < 1e-3);
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// A definition lives as long as the program, once for each name and text, and this is a handle of
/// it. Two handles are equal if name, text and settings are.
#[derive(Clone, Copy)]
pub struct CustomLoss {
    definition: &'static Definition,
    mean: Mean,
    inputs: bool,
    iterations: Option<u32>,
    reference: Option<&'static Reference>,
}

type Reference = dyn Fn(CustomRow<'_>) -> f64 + Send + Sync;

/// One row, as a [`CustomLoss`]'s reference on the CPU sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct CustomRow<'a> {
    /// The outputs, after the last activation.
    pub y: &'a [f64],
    /// The targets.
    pub t: &'a [f64],
    /// The inputs, before any encoding; none without [`CustomLoss::with_inputs`].
    pub x: &'a [f64],
    /// To be written: the derivatives of the row's loss with respect to `y`. 0 at the beginning.
    pub g: &'a mut [f64],
}

#[derive(Debug)]
struct Definition {
    name: &'static str,
    body: Snippet,
    number: usize,
}

/// The widths that a loss's functions are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Widths {
    pub inputs: usize,
    pub outputs: usize,
}

impl Widths {
    pub fn of(mlp: &Mlp) -> Self {
        Self { inputs: mlp.inputs, outputs: mlp.outputs() }
    }
}

static DEFINITIONS: Interned<Definition> = Mutex::new(Vec::new());

/// What was written of each definition, by its number, for each width and with the inputs or without.
static PIECES: Interned<(usize, Widths, Piece)> = Mutex::new(Vec::new());

/// The most outputs of a row, and the most inputs where the loss sees them: an invocation holds a row
/// in its own memory.
const MAX_WIDTH: usize = 256;

impl CustomLoss {
    /// Defines the loss `name` by the WGSL of a row's value and gradient. The training minimizes the
    /// mean over the rows: see [`CustomLoss::mean`].
    ///
    /// # Errors
    /// [`Error::Argument`]: a name that no function of WGSL can have, or a loss of the crate's own
    /// has. [`Error::Snippet`]: a text that ends before its last brace, or calls what several
    /// invocations must call together.
    pub fn new(name: &str, body: &str) -> Result<Self> {
        let known = Loss::ALL.iter().any(|own| own.name() == name);
        check_snippet_name("custom loss", name, known)?;
        let body = Snippet::new(&format!("the loss {name}"), body)?;
        let same = |known: &Definition| known.name == name && known.body == body;
        let definition = interned(&DEFINITIONS, same, |number| Definition {
            name: leaked(name.into()),
            body: body.clone(),
            number,
        });
        let (mean, inputs) = (Mean::Rows, false);
        Ok(Self { definition, mean, inputs, iterations: None, reference: None })
    }

    /// Sets how the losses of the rows are combined.
    #[must_use]
    pub const fn mean(mut self, mean: Mean) -> Self {
        self.mean = mean;
        self
    }

    /// Lets the text read the row's inputs, `x`.
    #[must_use]
    pub const fn with_inputs(mut self) -> Self {
        self.inputs = true;
        self
    }

    /// Says how many iterations all loops of the text take for one row, at most, with the final test of
    /// each. A dispatch that would take more than a driver allows is cut or refused by it. By
    /// default each loop counts as one over the outputs or the inputs, whichever are more.
    #[must_use]
    pub const fn iterations(mut self, iterations: u32) -> Self {
        self.iterations = Some(iterations);
        self
    }

    /// Adds what the CPU computes: `reference` writes `row.g` and returns the row's loss. It lives as
    /// long as the program. [`CpuTrainer`](crate::CpuTrainer) and
    /// [`compare_gradients`](crate::compare_gradients) call it.
    #[must_use]
    pub fn with_reference(
        mut self,
        reference: impl Fn(CustomRow<'_>) -> f64 + Send + Sync + 'static,
    ) -> Self {
        self.reference = Some(Box::leak(Box::new(reference)));
        self
    }

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        self.definition.name
    }

    /// Whether it has what the CPU computes.
    pub const fn has_reference(self) -> bool {
        self.reference.is_some()
    }

    /// How the losses of the rows are combined.
    pub(super) const fn combined(self) -> Mean {
        self.mean
    }

    /// [`Loss::scaled_row`]. Without a reference, or without the inputs that it reads, all is NaN.
    pub(super) fn row<T: Real>(self, [y, x, t]: [&[T]; 3], scale: T, gradient: &mut [T]) -> T {
        let Some(reference) = self.reference.filter(|_| !self.inputs || !x.is_empty()) else {
            gradient.fill(T::of(f64::NAN));
            return T::of(f64::NAN);
        };
        let x = if self.inputs { x } else { &[] };
        let [y, t, x] = [y, t, x].map(|v| v.iter().map(|v| v.to_f64()).collect::<Vec<_>>());
        let mut g = vec![0.0; y.len()];
        let value = reference(CustomRow { y: &y, t: &t, x: &x, g: &mut g });
        for (gradient, g) in gradient.iter_mut().zip(g) {
            *gradient = scale * T::of(g);
        }
        scale * T::of(value)
    }

    pub(super) fn check_reference(self) -> Result<()> {
        if self.has_reference() {
            return Ok(());
        }
        let what = format!("the loss {} on the CPU", self.name());
        Err(Error::argument(what, "WGSL alone", "one with CustomLoss::with_reference"))
    }

    /// Checks that an invocation can hold a row.
    pub(super) fn check_widths(self, Widths { inputs, outputs }: Widths) -> Result<()> {
        let inputs = if self.inputs { inputs } else { 0 };
        for (what, width) in [("outputs", outputs), ("inputs", inputs)] {
            if width > MAX_WIDTH {
                let what = format!("the number of {what} of a row of {}", self.name());
                return Err(Error::argument(what, width, format!("at most {MAX_WIDTH}")));
            }
        }
        Ok(())
    }

    /// The iterations of all loops of `loss_row`, with the final test of each.
    pub(super) fn iterations_of_row(self, widths: Widths) -> usize {
        let Widths { inputs, outputs } = widths;
        let inputs = if self.inputs { inputs } else { 0 };
        let each = inputs.max(outputs).saturating_add(1);
        let own = match self.iterations {
            Some(iterations) => iterations as usize,
            None => self.definition.body.loops().saturating_mul(each),
        };
        own.saturating_add(outputs).saturating_add(inputs).saturating_add(2)
    }

    /// The WGSL function `custom_NAME_row`.
    pub(super) fn piece(self, widths: Widths) -> &'static Piece {
        // One text for all networks where the inputs are not read.
        let widths = Widths { inputs: if self.inputs { widths.inputs } else { 0 }, ..widths };
        let Definition { name, body, number } = self.definition;
        let same = |(of, known, _): &(usize, Widths, Piece)| of == number && *known == widths;
        let write = || {
            let Widths { inputs, outputs } = widths;
            let row = |count| format!("array<f32, {count}>");
            let (y, mut x) = (row(outputs), String::new());
            let mut sizes = format!("const OUTPUTS = {outputs}u; ");
            if self.inputs {
                x = format!("x: {}, ", row(inputs));
                sizes += &format!("const INPUTS = {inputs}u; ");
            }
            let signature =
                format!("custom_{name}_row(y: {y}, t: {y}, {x}g: ptr<function, {y}>) -> f32");
            let what = format!("the loss {name}");
            let piece = format!("{what} {number}, {inputs} to {outputs}");
            snippet_piece(piece, vec![(what, body.function(&signature, &sizes))])
        };
        let (_, _, piece) = interned(&PIECES, same, |_| (*number, widths, write()));
        piece
    }

    /// WGSL of `loss_row` and `loss_element`. An invocation keeps the gradient of one row at a time.
    pub(super) fn splice(self, w: &mut Writer, Widths { inputs, outputs }: Widths) {
        w.line(format_args!("var<private> custom_gradient: array<f32, {outputs}>;"));
        w.function("loss_row(first: u32) -> LossRow", |w| {
            w.line(format_args!("var y: array<f32, {outputs}>;"));
            w.line(format_args!("var t: array<f32, {outputs}>;"));
            w.block(format_args!("for (var i = 0u; i < {outputs}u; i++)"), |w| {
                w.line("y[i] = activation_value(logit_of(first + i));");
                w.line("t[i] = target_of(first + i);");
            });
            let mut x = "";
            if self.inputs {
                w.line(format_args!("var x: array<f32, {inputs}>;"));
                w.block(format_args!("for (var i = 0u; i < {inputs}u; i++)"), |w| {
                    w.line("x[i] = input_of(first, i);");
                });
                x = "x, ";
            }
            w.line(format_args!("var g = array<f32, {outputs}>();"));
            w.line(format_args!("let value = custom_{}_row(y, t, {x}&g);", self.name()));
            w.line("custom_gradient = g;");
            w.line("return LossRow(value, 0.0, 0.0);");
        });
        // The first element takes the row's whole loss.
        w.function("loss_element(i: u32, z: f32, t: f32, row: LossRow) -> vec2<f32>", |w| {
            w.line("let value = select(0.0, row.top, i == 0u);");
            w.line("return vec2<f32>(value, custom_gradient[i] * activation_derivative_at(z));");
        });
    }

    /// Whether the text reads the inputs.
    pub(crate) const fn reads_inputs(self) -> bool {
        self.inputs
    }
}

impl From<CustomLoss> for Loss {
    fn from(custom: CustomLoss) -> Self {
        Self::Custom(custom)
    }
}

impl PartialEq for CustomLoss {
    fn eq(&self, other: &Self) -> bool {
        let settings = |of: &Self| (of.mean, of.inputs, of.iterations);
        std::ptr::eq(self.definition, other.definition) && settings(self) == settings(other)
    }
}

impl Eq for CustomLoss {}

impl Hash for CustomLoss {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(self.definition, state);
        (self.mean, self.inputs, self.iterations).hash(state);
    }
}

impl fmt::Debug for CustomLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CustomLoss({})", self.name())
    }
}
