//! The object `optimizer`.

use super::Keys;
use super::object::Object;
use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::training::{Adam, Part, Schedule, Sgd, Training};
use serde_json::{Map, Value};

/// `training` of `mlp` with the optimizer, and with the average and the schedule around it.
pub(super) fn optimizer(
    path: &str,
    value: &Value,
    training: Training,
    mlp: &Mlp,
    keys: &mut Keys,
) -> Result<Training> {
    let mut of = Object::new(path, value)?;
    let name = of.one_of("otype", "Adam", &["Adam", "SGD", "EMA", "ExponentialDecay"])?;
    let training = match name {
        "EMA" => {
            let decay = of.number("decay", 0.99)?;
            // The average is f32 in any case.
            of.flag("full_precision", false)?;
            let training = nested(&mut of, training, mlp, keys)?;
            if training.ema.is_some() {
                return Err(of.refuse("otype", "EMA round an EMA", "one of them"));
            }
            training.ema(decay)
        }
        "ExponentialDecay" => {
            let schedule = Schedule::Exponential {
                base: of.number("decay_base", 0.1)?,
                start: of.whole("decay_start", 10_000)?,
                interval: of.whole("decay_interval", 10_000)?,
                end: of.whole("decay_end", 10_000_000)?,
            };
            let training = nested(&mut of, training, mlp, keys)?;
            if training.schedule != Schedule::Constant {
                return Err(of.refuse("otype", "a decay round a decay", "one of them"));
            }
            training.schedule(schedule)
        }
        "SGD" => {
            let (rate, l2) = (of.number("learning_rate", 1e-3)?, of.number("l2_reg", 1e-8)?);
            let sgd = Sgd { rate, l2, ..Sgd::default() };
            Training { optimizer: sgd.into(), ..training }
        }
        _ => adam(&mut of, training, mlp)?,
    };
    keys.end(&of)?;
    Ok(training)
}

/// The optimizer that another one is around: Adam where it says nothing.
fn nested(of: &mut Object<'_>, training: Training, mlp: &Mlp, keys: &mut Keys) -> Result<Training> {
    let what = of.what("nested");
    let empty = Value::Object(Map::new());
    optimizer(&what, of.take("nested").unwrap_or(&empty), training, mlp, keys)
}

fn adam(of: &mut Object<'_>, mut training: Training, mlp: &Mlp) -> Result<Training> {
    for key in ["relative_decay", "absolute_decay", "clipping_magnitude", "non_matrix_l2_reg"] {
        of.neutral(key, &Value::from(0))?;
    }
    of.neutral("adabound", &Value::Bool(false))?;
    let adam = Adam {
        rate: of.number("learning_rate", 1e-3)?,
        beta1: of.number("beta1", 0.9)?,
        beta2: of.number("beta2", 0.999)?,
        epsilon: of.number("epsilon", 1e-8)?,
        l2: of.number("l2_reg", 1e-8)?,
        lazy: of.flag("skip_zero_grad_non_matrix_params", true)?,
        clip: of.number("gradient_clipping_magnitude", 0.0)?,
        ..Adam::default()
    };
    // "Matrix" are the layers' parameters there, the others the encodings' tables.
    let of_tables = of.number("non_matrix_learning_rate_factor", 1.0)?;
    let of_tables = if of.flag("optimize_non_matrix_params", true)? { of_tables } else { 0.0 };
    let of_layers = if of.flag("optimize_matrix_params", true)? { 1.0 } else { 0.0 };
    let parts = mlp.encoding.iter().enumerate();
    let tables = parts.filter(|(_, part)| part.encoding.parameters(part.inputs) > 0);
    let tables = tables.map(|(i, _)| (Part::Encoding(i), of_tables));
    let layers = (0..mlp.layers.len()).map(|i| (Part::Layer(i), of_layers));
    for (part, factor) in tables.chain(layers).filter(|(_, factor)| *factor != 1.0) {
        training = training.rate_of(part, factor);
    }
    if !(of_tables >= 0.0) {
        let what = of.what("non_matrix_learning_rate_factor");
        return Err(Error::argument(what, of_tables, "0 or more"));
    }
    Ok(Training { optimizer: adam.into(), ..training })
}
