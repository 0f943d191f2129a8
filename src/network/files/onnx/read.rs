//! A plain perceptron from an ONNX model, node after node.

use super::constants::Array;
use super::expression::{Expression, Operator, activation};
use super::proto::{Attribute, Graph, Length, Model, Node, ValueInfo};
use crate::error::{Error, Result};
use crate::network::{Activation, Mlp, Parameters};
use crate::numeric::{Real, with_room};
use prost::Message;
use std::collections::HashMap;

/// See [`Parameters::from_onnx`]. `origin` is the path, or `file`.
pub fn model<T: Real>(origin: &str, bytes: &[u8]) -> Result<Parameters<T>> {
    if let Some(what) = super::super::identify::foreign(bytes)
        && !what.contains("ONNX")
        && !what.contains("MessagePack")
    {
        return Err(Error::file(origin, format!("is no ONNX file: it {what}")));
    }
    let model = Model::decode(bytes).map_err(|error| {
        Error::file_because(origin, format!("not a whole ONNX file: {error}"), error)
    })?;
    let refused = |(place, problem): Refused| match place.as_str() {
        "" => Error::file(origin, problem),
        _ if origin == "file" => Error::file(place, problem),
        _ => Error::file(format!("{origin}: {place}"), problem),
    };
    if model.opset_import.is_empty() {
        return Err(Error::file(origin, "not a whole ONNX file: it says no set of operators"));
    }
    let graph = model.graph.unwrap_or_default();
    let layers = Reader::new(&graph).and_then(Reader::layers).map_err(refused)?;
    let Some(inputs) = layers.first().map(|layer| layer.weight.shape[1]) else {
        return Err(Error::file(origin, "holds no layer: a Gemm or MatMul of its input"));
    };
    let (mut mlp, mut count) = (Mlp::new(inputs), 0_usize);
    for layer in &layers {
        mlp = match layer.bias {
            Some(_) => mlp.layer(layer.weight.shape[0], layer.activation),
            None => mlp.layer_without_bias(layer.weight.shape[0], layer.activation),
        };
        count = count.saturating_add(layer.weight.values.len() + layer.weight.shape[0]);
    }
    mlp.check()?;
    let mut values: Vec<T> = with_room("the parameters", count)?;
    for layer in layers {
        values.extend(layer.weight.values.iter().copied().map(T::of));
        values.extend(layer.bias.into_iter().flatten().map(T::of));
    }
    Parameters::new(mlp, 1, values)
}

/// What cannot be read, and why.
type Refused = (String, String);

/// A layer as the file has it.
struct FoundLayer {
    /// `[units, inputs]`.
    weight: Array,
    bias: Option<Vec<f64>>,
    activation: Activation,
}

/// What a name stands for.
#[derive(Clone)]
enum Value {
    Constant(Array),
    /// An expression since the layer of that number.
    Expression(usize, usize),
}

struct Reader<'g> {
    graph: &'g Graph,
    values: HashMap<&'g str, Value>,
    layers: Vec<FoundLayer>,
    /// Counts the layers, and biases that were added to them: what was computed before is over.
    stage: usize,
    expressions: Vec<Expression>,
    /// Whether a `MatMul` without an `Add` came last.
    lacks_bias: bool,
}

impl<'g> Reader<'g> {
    fn new(graph: &'g Graph) -> Result<Self, Refused> {
        let mut values = HashMap::new();
        for tensor in &graph.initializer {
            // Whole numbers are read too: an unused one is no fault.
            match Array::of(tensor) {
                Ok(array) => _ = values.insert(tensor.name.as_str(), Value::Constant(array)),
                Err(problem) => return Err((tensor.name.clone(), problem)),
            }
        }
        // Old files count the constants among the inputs.
        let inputs: Vec<&ValueInfo> =
            graph.input.iter().filter(|input| !values.contains_key(input.name.as_str())).collect();
        let [input] = inputs[..] else {
            let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            let problem =
                format!("has {} inputs [{}]; a perceptron has 1", names.len(), names.join(", "));
            return Err((String::new(), problem));
        };
        values.insert(&input.name, Value::Expression(0, 0));
        let expressions = vec![Expression::Input];
        let (layers, stage, lacks_bias) = (Vec::new(), 0, false);
        Ok(Self { graph, values, layers, stage, expressions, lacks_bias })
    }

    fn layers(mut self) -> Result<Vec<FoundLayer>, Refused> {
        for node in &self.graph.node {
            self.node(node).map_err(|problem| {
                let name = if node.name.is_empty() {
                    node.output.first().map_or("", String::as_str)
                } else {
                    &node.name
                };
                (format!("node {name} ({})", node.op_type), problem)
            })?;
        }
        let [output] = &self.graph.output[..] else {
            let problem = format!("has {} outputs; a perceptron has 1", self.graph.output.len());
            return Err((String::new(), problem));
        };
        let last = match self.values.get(output.name.as_str()) {
            Some(Value::Expression(index, stage)) if *stage == self.stage => *index,
            _ => return Err((output.name.clone(), "is not what the last layer gives".into())),
        };
        self.end_layer(last).map_err(|problem| (output.name.clone(), problem))?;
        self.check_width()?;
        Ok(self.layers)
    }

    /// Checks that the file's input is as wide as its first layer.
    fn check_width(&self) -> Result<(), Refused> {
        let shape = self.graph.input.iter().find_map(|input| {
            let is_value =
                matches!(self.values.get(input.name.as_str()), Some(Value::Expression(..)));
            let tensor = input.r#type.as_ref()?.tensor.as_ref()?;
            tensor.shape.as_ref().filter(|_| is_value).map(|shape| (input, shape))
        });
        let (Some((input, shape)), Some(first)) = (shape, self.layers.first()) else {
            return Ok(());
        };
        let width = shape.side.last().and_then(|side| side.length.as_ref());
        let inputs = first.weight.shape[1];
        let problem = match width {
            _ if shape.side.len() != 2 => {
                format!("has {} axes; a perceptron's input has 2", shape.side.len())
            }
            Some(Length::Value(width)) if usize::try_from(*width) != Ok(inputs) => {
                format!("is {width} wide, but the first layer takes {inputs}")
            }
            _ => return Ok(()),
        };
        Err((input.name.clone(), problem))
    }

    fn node(&mut self, node: &'g Node) -> Result<(), String> {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(format!("is of the domain {}, which is not ONNX's own", node.domain));
        }
        let Some(output) = node.output.first() else { return Err("has no output".into()) };
        if let Some(second) = node.output.iter().skip(1).find(|name| !name.is_empty())
            && node.op_type != "Dropout"
        {
            return Err(format!("has a second output, {second}"));
        }
        let value = match node.op_type.as_str() {
            "Constant" => Value::Constant(constant(node)?),
            // What changes nothing in a perceptron that predicts.
            "Identity" | "Dropout" => self.input(node, 0)?,
            "Cast" => match self.input(node, 0)? {
                value if matches!(int(node, "to", 1), 1 | 10 | 11 | 16) => value,
                _ => return Err("casts to a type of whole numbers".into()),
            },
            "Flatten" if int(node, "axis", 1) == 1 && self.stage == 0 => self.input(node, 0)?,
            "Transpose" => match self.input(node, 0)? {
                Value::Constant(array) if matches!(ints(node, "perm"), [] | [1, 0]) => {
                    let transposed = array.transposed();
                    Value::Constant(transposed.ok_or("transposes what is not a matrix")?)
                }
                _ => return Err("transposes what is not a constant matrix".into()),
            },
            "Gemm" => self.gemm(node)?,
            "MatMul" => {
                let (from, weight) = (self.input(node, 0)?, self.input(node, 1)?);
                let weight = matrix(weight)?.transposed().ok_or("has no matrix as weight")?;
                self.begin_layer(from, weight, None, true)?
            }
            "Add" if self.lacks_bias => match self.bias(node)? {
                Some(value) => value,
                None => self.apply(node, Operator::Add)?,
            },
            "LeakyRelu" => self.apply(node, Operator::LeakyRelu(number(node, "alpha", 0.01)))?,
            "Swish" => self.apply(node, Operator::Swish(number(node, "alpha", 1.0)))?,
            "Gelu" => match attribute(node, "approximate") {
                Some(form) if form.s == b"tanh" => self.apply(node, Operator::GeluTanh)?,
                _ => return Err("is GELU by erf; the crate's gelu is the form by tanh".into()),
            },
            "Erf" => {
                return Err("is part of GELU by erf; the crate's gelu is the form by tanh".into());
            }
            "Softmax" | "LogSoftmax" => {
                return Err("is no activation here: let the file end with the logits".into());
            }
            name => match Operator::of(name) {
                Some(operator) => self.apply(node, operator)?,
                None => return Err("is no part of a plain perceptron".into()),
            },
        };
        self.values.insert(output, value);
        Ok(())
    }

    fn input(&self, node: &Node, index: usize) -> Result<Value, String> {
        let name = node.input.get(index).ok_or_else(|| format!("has no input {index}"))?;
        let value = self.values.get(name.as_str());
        let value = value.ok_or_else(|| format!("takes {name}, which comes from nowhere"))?;
        match value {
            Value::Expression(_, stage) if *stage != self.stage => {
                Err(format!("takes {name}, which comes from before the last layer: a branch"))
            }
            value => Ok(value.clone()),
        }
    }

    fn gemm(&mut self, node: &Node) -> Result<Value, String> {
        if int(node, "transA", 0) != 0 {
            return Err("transposes its input (transA)".into());
        }
        let mut weight = matrix(self.input(node, 1)?)?;
        if int(node, "transB", 0) == 0 {
            weight = weight.transposed().ok_or("has no matrix as weight")?;
        }
        let alpha = number(node, "alpha", 1.0);
        weight.values.iter_mut().for_each(|value| *value *= alpha);
        let mut bias = None;
        if node.input.get(2).is_some_and(|name| !name.is_empty()) {
            let Value::Constant(found) = self.input(node, 2)? else {
                return Err("has a bias that is not constant".into());
            };
            let units = weight.shape[0];
            let beta = number(node, "beta", 1.0);
            let of = |values: &[f64]| values.iter().map(|value| value * beta).collect::<Vec<_>>();
            bias = Some(match (&found.shape[..], found.number()) {
                ([.., last], _) if *last == units && found.values.len() == units => {
                    of(&found.values)
                }
                (_, Some(number)) => of(&vec![number; units]),
                _ => {
                    let shape = &found.shape;
                    return Err(format!("has a bias of the shape {shape:?} for {units} units"));
                }
            });
        }
        let from = self.input(node, 0)?;
        self.begin_layer(from, weight, bias, false)
    }

    /// The bias that an `Add` after a `MatMul` gives, if it is one.
    fn bias(&mut self, node: &Node) -> Result<Option<Value>, String> {
        let (a, b) = (self.input(node, 0)?, self.input(node, 1)?);
        let ((Value::Expression(0, _), Value::Constant(bias))
        | (Value::Constant(bias), Value::Expression(0, _))) = (a, b)
        else {
            return Ok(None);
        };
        let Some(layer) = self.layers.last_mut() else { return Ok(None) };
        let units = layer.weight.shape[0];
        let one_row = bias.shape.iter().rev().skip(1).all(|side| *side == 1);
        layer.bias = Some(match bias.number() {
            Some(number) => vec![number; units],
            None if one_row && bias.values.len() == units => bias.values,
            None => return Err(format!("adds the shape {:?} to {units} units", bias.shape)),
        });
        self.next_stage();
        Ok(Some(Value::Expression(0, self.stage)))
    }

    fn next_stage(&mut self) {
        self.stage += 1;
        self.expressions = vec![Expression::Input];
        self.lacks_bias = false;
    }

    fn begin_layer(
        &mut self,
        from: Value,
        weight: Array,
        bias: Option<Vec<f64>>,
        lacks_bias: bool,
    ) -> Result<Value, String> {
        let Value::Expression(from, _) = from else {
            return Err("multiplies constants".into());
        };
        match self.layers.last() {
            None if !matches!(self.expressions[from], Expression::Input) => {
                return Err("takes a function of the input: an encoding is not read".into());
            }
            Some(before) if before.weight.shape[0] != weight.shape[1] => {
                let (units, inputs) = (before.weight.shape[0], weight.shape[1]);
                return Err(format!(
                    "takes {inputs} inputs, but the layer before has {units} units"
                ));
            }
            _ => {}
        }
        self.end_layer(from)?;
        self.layers.push(FoundLayer { weight, bias, activation: Activation::Identity });
        self.next_stage();
        self.lacks_bias = lacks_bias;
        Ok(Value::Expression(0, self.stage))
    }

    /// Finds the last layer's activation, which ends with the expression `last`.
    fn end_layer(&mut self, last: usize) -> Result<(), String> {
        let Some(layer) = self.layers.last_mut() else { return Ok(()) };
        let known = activation(&self.expressions[..=last]);
        let names: Vec<&str> = Activation::ALL.iter().map(|known| known.name()).collect();
        layer.activation = known.ok_or_else(|| {
            let names = names.join(", ");
            format!("takes a function of the layer before that is none of {names}")
        })?;
        Ok(())
    }

    /// Adds an expression of the node's inputs.
    fn apply(&mut self, node: &Node, operator: Operator) -> Result<Value, String> {
        let [least, most] = operator.arguments();
        if !(least..=most).contains(&node.input.len()) {
            return Err(format!("has {} inputs", node.input.len()));
        }
        let mut arguments = Vec::new();
        for index in 0..node.input.len() {
            arguments.push(match self.input(node, index)? {
                Value::Expression(expression, _) => expression,
                Value::Constant(array) => {
                    let number = array.number().ok_or_else(|| {
                        format!(
                            "takes constants of the shape {:?}: one number is read",
                            array.shape
                        )
                    })?;
                    self.expressions.push(Expression::Constant(number));
                    self.expressions.len() - 1
                }
            });
        }
        // Longer chains are no activation; each is computed for many points.
        if self.expressions.len() > 200 {
            return Err("is one of too many nodes between two layers".into());
        }
        self.expressions.push(Expression::Apply(operator, arguments));
        Ok(Value::Expression(self.expressions.len() - 1, self.stage))
    }
}

fn matrix(value: Value) -> Result<Array, String> {
    match value {
        Value::Constant(array) if array.shape.len() == 2 => Ok(array),
        Value::Constant(array) => Err(format!("has a weight of the shape {:?}", array.shape)),
        Value::Expression(..) => Err("has a weight that is not constant".into()),
    }
}

fn constant(node: &Node) -> Result<Array, String> {
    for attribute in &node.attribute {
        match (attribute.name.as_str(), &attribute.t) {
            ("value", Some(tensor)) => {
                return Array::of(tensor).map_err(|problem| format!("has a value that {problem}"));
            }
            ("value_float", _) => {
                return Ok(Array { shape: Vec::new(), values: vec![f64::from(attribute.f)] });
            }
            ("value_floats", _) => {
                let values: Vec<f64> = attribute.floats.iter().copied().map(f64::from).collect();
                return Ok(Array { shape: vec![values.len()], values });
            }
            _ => {}
        }
    }
    Err("has no value that is read".into())
}

fn attribute<'n>(node: &'n Node, name: &str) -> Option<&'n Attribute> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn int(node: &Node, name: &str, default: i64) -> i64 {
    attribute(node, name).map_or(default, |attribute| attribute.i)
}

fn ints<'n>(node: &'n Node, name: &str) -> &'n [i64] {
    attribute(node, name).map_or(&[], |attribute| &attribute.ints)
}

fn number(node: &Node, name: &str, default: f64) -> f64 {
    attribute(node, name).map_or(default, |attribute| f64::from(attribute.f))
}
