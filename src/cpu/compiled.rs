//! The vectors' code, compiled in this crate. Generic functions are compiled again in every crate that
//! calls them, and these stand there once for each width of vectors.

use super::tile::{Network, Scratch, Source};
use super::update::{Elements, Part, run};
use crate::network::encoding::LevelGradient;
use crate::numeric::Real;
use fearless_simd::{Level, Simd, dispatch};
use std::any::Any;

/// [`Network::chunk`] of one width of vectors.
type Chunk<T> =
    fn(Level, &Network, usize, &[T], &Source<'_, T>, &mut Scratch<T>, [&mut [T]; 2]) -> T;
/// [`Network::predict`] of one width of vectors.
type Predict<T> = fn(Level, &Network, usize, &[T], &Source<'_, T>, &mut Scratch<T>, &mut [T]);
/// [`LevelGradient::add`] for the processor.
type TableGradient<T> = fn(Level, &mut LevelGradient<'_, T>, [(&[T], usize); 2]);
/// [`run`] of one width of vectors.
type Update<T> = fn(Level, &Part<T>, Elements<'_, T>) -> bool;

/// What a trainer calls that is written in vectors.
pub struct Compiled<T> {
    pub chunk: Chunk<T>,
    pub predict: Predict<T>,
    pub table_gradient: TableGradient<T>,
    pub update: Update<T>,
}

impl<T: Real> Compiled<T> {
    const ALL: Self = Self {
        chunk: |level, network, chunk, parameters, source, scratch, results| {
            dispatch!(level, simd =>
                network.chunk(simd, chunk, parameters, source, scratch, results))
        },
        predict: |level, network, chunk, parameters, source, scratch, outputs| {
            dispatch!(level, simd =>
                network.predict(simd, chunk, parameters, source, scratch, outputs));
        },
        table_gradient: |level, part, of| {
            dispatch!(level, simd => simd.vectorize(
                #[inline(always)]
                || part.add(of)
            ));
        },
        update: |level, part, elements| dispatch!(level, simd => run(simd, part, elements)),
    };
}

static F32: Compiled<f32> = Compiled::ALL;
static F64: Compiled<f64> = Compiled::ALL;

/// The functions for `T`.
pub fn compiled<T: Real>() -> &'static Compiled<T> {
    let [f32, f64]: [&dyn Any; 2] = [&F32, &F64];
    let Some(found) = f32.downcast_ref().or_else(|| f64.downcast_ref()) else {
        unreachable!("`Real` is sealed: f32 and f64");
    };
    found
}
