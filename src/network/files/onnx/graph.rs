//! Writing a graph, node after node.

use super::proto::{Attribute, Graph, Node, Tensor, data_type};

/// A graph under construction. Values are known by their names.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
    /// What the names of nodes and values begin with.
    pub scope: String,
}

impl Builder {
    fn name(&self, of: &str) -> String {
        format!("{}.{of}_{}", self.scope, self.graph.node.len() + self.graph.initializer.len())
    }

    /// Adds a node and gives its output's name.
    pub fn node(&mut self, operator: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let name = self.name(&operator.to_lowercase());
        self.graph.node.push(Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute,
            domain: String::new(),
        });
        name
    }

    /// A node without attributes.
    pub fn op(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.node(operator, inputs, Vec::new())
    }

    /// A node of a value and one number.
    pub fn op_with(&mut self, operator: &str, value: &str, number: f32) -> String {
        let number = self.floats(&[], &[number]);
        self.op(operator, &[value, &number])
    }

    /// A constant under a name of its own.
    pub fn named(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, shape, data_type::FLOAT, raw_data)
    }

    /// A constant.
    pub fn floats(&mut self, shape: &[usize], values: &[f32]) -> String {
        let name = self.name("constant");
        self.named(&name, shape, values)
    }

    /// A constant list of whole numbers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        let name = self.name("constant");
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(&name, &[values.len()], data_type::INT64, raw_data)
    }

    fn constant(&mut self, name: &str, shape: &[usize], kind: i32, raw_data: Vec<u8>) -> String {
        self.graph.initializer.push(Tensor {
            dims: shape.iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX)).collect(),
            data_type: kind,
            name: name.to_owned(),
            raw_data,
            ..Tensor::default()
        });
        name.to_owned()
    }

    /// The graph, in which the value `last` is called `output`.
    pub fn finish(mut self, last: &str, output: &str) -> Graph {
        match self.graph.node.last_mut() {
            Some(node) if node.output[0] == last => node.output[0] = output.to_owned(),
            _ => {
                self.op("Identity", &[last]);
                if let Some(node) = self.graph.node.last_mut() {
                    node.output[0] = output.to_owned();
                }
            }
        }
        self.graph
    }
}

/// An attribute that is a whole number.
pub fn integer(name: &str, value: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: value, kind: 2, ..Attribute::default() }
}

/// An attribute that is a number.
pub fn float(name: &str, value: f32) -> Attribute {
    Attribute { name: name.to_owned(), f: value, kind: 1, ..Attribute::default() }
}
