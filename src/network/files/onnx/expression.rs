//! Functions of one number, as the nodes between two layers compose them.

use crate::network::Activation;

/// A number that depends on the pre-activation z.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    /// z itself.
    Input,
    Constant(f64),
    /// The expressions that it names come before it.
    Apply(Operator, Vec<usize>),
}

/// An operator that ONNX applies to each element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Max,
    Min,
    /// 1 where a > b, otherwise 0.
    Greater,
    Less,
    /// b where a is not 0, otherwise c.
    Where,
    Neg,
    Abs,
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Sin,
    Tanh,
    Sigmoid,
    Relu,
    LeakyRelu(f64),
    Softplus,
    GeluTanh,
    Swish(f64),
}

impl Operator {
    /// The operator of a name without attributes.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "Add" => Self::Add,
            "Sub" => Self::Sub,
            "Mul" => Self::Mul,
            "Div" => Self::Div,
            "Pow" => Self::Pow,
            "Max" => Self::Max,
            "Min" => Self::Min,
            // They differ at one number alone.
            "Greater" | "GreaterOrEqual" => Self::Greater,
            "Less" | "LessOrEqual" => Self::Less,
            "Where" => Self::Where,
            "Neg" => Self::Neg,
            "Abs" => Self::Abs,
            "Exp" => Self::Exp,
            "Log" => Self::Log,
            "Sqrt" => Self::Sqrt,
            "Reciprocal" => Self::Reciprocal,
            "Sin" => Self::Sin,
            "Tanh" => Self::Tanh,
            "Sigmoid" => Self::Sigmoid,
            "Relu" => Self::Relu,
            "Softplus" => Self::Softplus,
            _ => return None,
        })
    }

    /// How many arguments it takes: at least, at most.
    pub const fn arguments(self) -> [usize; 2] {
        match self {
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Pow => [2, 2],
            Self::Greater | Self::Less => [2, 2],
            Self::Where => [3, 3],
            Self::Max | Self::Min => [1, usize::MAX],
            _ => [1, 1],
        }
    }

    fn apply(self, x: &[f64]) -> f64 {
        let [a, b, c] = [0, 1, 2].map(|i| x.get(i).copied().unwrap_or(f64::NAN));
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::Div => a / b,
            Self::Pow => a.powf(b),
            Self::Max => x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Min => x.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Greater => f64::from(u8::from(a > b)),
            Self::Less => f64::from(u8::from(a < b)),
            Self::Where => {
                if a == 0.0 {
                    c
                } else {
                    b
                }
            }
            Self::Neg => -a,
            Self::Abs => a.abs(),
            Self::Exp => a.exp(),
            Self::Log => a.ln(),
            Self::Sqrt => a.sqrt(),
            Self::Reciprocal => 1.0 / a,
            Self::Sin => a.sin(),
            Self::Tanh => a.tanh(),
            Self::Sigmoid => Activation::Sigmoid.value(a),
            Self::Relu => a.max(0.0),
            Self::LeakyRelu(alpha) => a.max(0.0) + alpha * a.min(0.0),
            Self::Softplus => Activation::Softplus.value(a),
            Self::GeluTanh => Activation::Gelu.value(a),
            Self::Swish(alpha) => a * Activation::Sigmoid.value(alpha * a),
        }
    }
}

/// The value of the last expression at `z`.
fn value(expressions: &[Expression], z: f64) -> f64 {
    let mut values: Vec<f64> = Vec::with_capacity(expressions.len());
    for expression in expressions {
        values.push(match expression {
            Expression::Input => z,
            Expression::Constant(number) => *number,
            Expression::Apply(operator, arguments) => {
                let of = |i: &usize| values.get(*i).copied().unwrap_or(f64::NAN);
                operator.apply(&arguments.iter().map(of).collect::<Vec<_>>())
            }
        });
    }
    values.last().copied().unwrap_or(f64::NAN)
}

/// The activation whose values the last expression has at 1,201 points from −30 to 30. Constants of
/// a file are f32.
pub fn activation(expressions: &[Expression]) -> Option<Activation> {
    let points = || (-600..=600).map(|i| f64::from(i) * 0.05 + 0.0031);
    let values: Vec<f64> = points().map(|z| value(expressions, z)).collect();
    let equals = |activation: &&Activation| {
        points().zip(&values).all(|(z, found)| {
            let value: f64 = activation.value(z);
            (value - found).abs() <= 1e-6 * value.abs().max(1.0)
        })
    };
    Activation::ALL.iter().find(equals).copied()
}
