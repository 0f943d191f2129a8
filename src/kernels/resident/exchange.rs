//! How the invocations that share a row exchange values: by a quad's swaps where shaders may use
//! subgroup operations, otherwise through workgroup memory.
//!
//! Through memory an exchange is a store, a barrier and the loads. Exchanges alternate between two places,
//! so the barrier of one is also the end of the loads of the one before it. The sum has a place of
//! its own.

use super::launch::Reduction;
use super::writer::Context;

/// The lines of a row, and the exchanges among them.
pub(super) struct Exchange<'a> {
    context: Context<'a>,
    body: &'a mut Vec<Vec<String>>,
    /// The exchanges so far, without the sum.
    count: usize,
}

impl<'a> Exchange<'a> {
    /// Appends to `body`.
    pub const fn new(context: Context<'a>, body: &'a mut Vec<Vec<String>>) -> Self {
        Self { context, body, count: 0 }
    }

    /// A line that stands by itself.
    pub fn line(&mut self, line: String) {
        self.body.push(vec![line]);
    }

    /// Lines that stand together.
    pub fn lines(&mut self, lines: Vec<String>) {
        self.body.push(lines);
    }

    fn in_memory(&self) -> bool {
        self.context.launch.reduction == Reduction::Memory
    }

    /// Stores the values in workgroup memory, the first of them at `first`, for all to load.
    fn store(&mut self, first: usize, values: &[String]) {
        for (i, value) in values.iter().enumerate() {
            let at = (first + i) * self.context.width();
            self.line(format!("gathered[{at}u + lane] = {value};"));
        }
        self.line("workgroupBarrier();".into());
    }

    /// Where the values of the next exchange are stored.
    fn next_place(&mut self) -> usize {
        let place = self.count % 2 * self.context.share().exchanged();
        self.count += 1;
        place
    }

    /// For each of an invocation's `values` the neighbours' values, block after block.
    pub fn gather(&mut self, values: &[String]) -> Vec<String> {
        let blocks = 1..self.context.share().parts;
        if !self.in_memory() {
            return blocks
                .flat_map(|b| values.iter().map(move |value| swapped(value, b)))
                .collect();
        }
        let (first, width) = (self.next_place(), self.context.width());
        self.store(first, values);
        let load =
            |b: usize, i: usize| format!("gathered[{}u + (lane ^ {b}u)]", (first + i) * width);
        blocks.flat_map(|b| (0..values.len()).map(move |i| load(b, i))).collect()
    }

    /// For each of the first block's places the sum of what all invocations have for it: `values` are an
    /// invocation's terms, block after block.
    pub fn scatter(&mut self, values: &[String]) -> Vec<String> {
        let own = values.len() / self.context.share().parts;
        let (kept, sent) = values.split_at(own);
        let received: Vec<String> = if self.in_memory() {
            let (first, width) = (self.next_place(), self.context.width());
            self.store(first, sent);
            let load = |i: usize| {
                format!("gathered[{}u + (lane ^ {}u)]", (first + i) * width, 1 + i / own)
            };
            (0..sent.len()).map(load).collect()
        } else {
            sent.iter().enumerate().map(|(i, value)| swapped(value, 1 + i / own)).collect()
        };
        let sum = |i: usize| {
            let others = received[i..].iter().step_by(own);
            std::iter::once(&kept[i]).chain(others).cloned().collect::<Vec<_>>().join(" + ")
        };
        (0..own).map(sum).collect()
    }

    /// The sums of `values` over the invocations of a row, with the same bits in all of them. Lines before
    /// them define names from `prefix`.
    pub fn sum(&mut self, values: &[String], prefix: &str) -> Vec<String> {
        let parts = self.context.share().parts;
        if self.in_memory() {
            let (first, width) = (2 * self.context.share().exchanged(), self.context.width());
            self.store(first, values);
            let load = |i: usize, part: usize| {
                format!(
                    "gathered[{}u + (lane & {}u)]",
                    (first + i) * width + part,
                    !(parts as u32 - 1)
                )
            };
            let sum = |i| (0..parts).map(|part| load(i, part)).collect::<Vec<_>>().join(" + ");
            return (0..values.len()).map(sum).collect();
        }
        let mut sums = values.to_vec();
        for block in [1, 2].into_iter().filter(|block| *block < parts) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let name = format!("{prefix}{i}_{block}@");
                self.line(format!("let {name} = {sum} + {};", swapped(sum, block)));
                *sum = name;
            }
        }
        sums
    }

    /// Ends the row: the next row's first exchange must not overtake the loads of the only one.
    pub fn end(self) {
        if self.in_memory() && self.context.share().parts > 1 && self.count == 0 {
            self.body.push(vec!["workgroupBarrier();".into()]);
        }
    }
}

/// The value of the neighbour whose number differs by `^ block`. A quad's swap is one instruction where
/// a shuffle computes addresses.
fn swapped(value: &str, block: usize) -> String {
    let function = ["", "quadSwapX", "quadSwapY", "quadSwapDiagonal"][block];
    format!("{function}({value})")
}
