//! A grid's outputs and their gradients on the CPU.

use crate::network::encoding::{Edge, EncodingRange, GRID_DIMENSIONS as D, Grid, Interpolation};
use crate::network::level::Level;
use crate::numeric::Real;
use std::ops::Range;

impl Grid {
    /// The two nearest mip levels of a point: each with its share, and the share's derivative with
    /// respect to the level of detail.
    #[inline(always)]
    fn mip_shares<T: Real>(&self, x: &[T]) -> [(usize, T, T); 2] {
        let last = self.levels.saturating_sub(1);
        let raw = x[2] - T::of(f64::from(self.lower[2]));
        let lod = raw.max(T::ZERO).min(T::of(f64::from(last)));
        let low = (lod.to_f64() as u32).min(last.saturating_sub(1));
        let share = lod - T::of(f64::from(low));
        let slope = if raw == lod && last > 0 { T::ONE } else { T::ZERO };
        let high = (low + 1).min(last);
        [(low as usize, T::ONE - share, -slope), (high as usize, share, slope)]
    }

    /// The levels that a point sees, each with its share in the outputs and the share's derivative with
    /// respect to the level of detail.
    #[inline(always)]
    fn seen<T: Real>(&self, x: &[T]) -> impl Iterator<Item = (usize, T, T)> + use<T> {
        let mips = self.mips.then(|| self.mip_shares(x));
        let count = if self.mips { 2 } else { self.levels as usize };
        let level = move |i| mips.map_or((i, T::ONE, T::ZERO), |both| both[i]);
        (0..count).map(level)
    }

    /// The weight of the upper corner at a coordinate `f` in 0 to 1, and its derivative.
    #[inline(always)]
    fn weight<T: Real>(&self, f: T) -> (T, T) {
        match self.interpolation {
            Interpolation::Linear => (f, T::ONE),
            Interpolation::Smoothstep => {
                (f * f * (T::of(3.0) - T::of(2.0) * f), T::of(6.0) * f * (T::ONE - f))
            }
        }
    }

    /// A coordinate of the unit box in its first period.
    #[inline(always)]
    fn periodic<T: Real>(&self, x: T) -> T {
        if self.edge == Edge::Repeat { x - x.floor() } else { x }
    }

    /// The second derivative of the weight of the upper corner.
    fn weight_bend<T: Real>(&self, f: T) -> T {
        match self.interpolation {
            Interpolation::Linear => T::ZERO,
            Interpolation::Smoothstep => T::of(6.0) - T::of(12.0) * f,
        }
    }

    /// Calls `f(entry, along, bends)` for each corner of a cell: the derivative of its weight along `v`,
    /// and how the derivatives of the weight change along `v`.
    fn corners_along<T: Real>(
        &self,
        level: &Level,
        [x, v]: [&[T]; 2],
        mut f: impl FnMut(usize, T, [T; D]),
    ) {
        let (mut unit, mut steps) = (vec![T::ZERO; x.len()], [T::ZERO; D]);
        for (d, (unit, x)) in unit.iter_mut().zip(x).enumerate() {
            let x = (*x - T::of(f64::from(self.lower[d]))) * T::of(f64::from(self.slope(d)));
            *unit = self.periodic(x);
        }
        let place = level.place(&unit);
        // From a step of the inputs to one in cells.
        for (d, step) in steps.iter_mut().enumerate().take(x.len()) {
            let slope = T::of(f64::from(self.slope(d)));
            *step = T::of(f64::from(level.scale[d])) * place.inside[d] * slope;
        }
        for corner in 0..1_u32 << x.len() {
            let mut cell: [u32; D] = std::array::from_fn(|d| place.cell[d]);
            // Value, derivative and second derivative of each dimension's factor.
            let mut factors = [[T::ONE, T::ZERO, T::ZERO]; D];
            for (d, factor) in factors.iter_mut().enumerate().take(x.len()) {
                let up = corner >> d & 1;
                cell[d] += up;
                let ((share, slope), bend) =
                    (self.weight(place.at[d]), self.weight_bend(place.at[d]));
                *factor = match up {
                    1 => [share, slope, bend],
                    _ => [T::ONE - share, -slope, -bend],
                };
            }
            // The product of the factors without some dimensions.
            let without = |skipped: [usize; 2]| {
                let kept = factors.iter().enumerate().filter(|(d, _)| !skipped.contains(d));
                kept.fold(T::ONE, |product, (_, factor)| product * factor[0])
            };
            let (mut along, mut bends) = (T::ZERO, [T::ZERO; D]);
            for (d, v) in v.iter().enumerate() {
                let step = steps[d] * *v;
                along += step * factors[d][1] * without([d, d]);
                for (j, bend) in bends.iter_mut().enumerate().take(x.len()) {
                    let own = if j == d { factors[d][2] } else { factors[d][1] * factors[j][1] };
                    *bend += steps[j] * step * own * without([d, j]);
                }
            }
            f(level.entry_of(&cell[..x.len()]) as usize, along, bends);
        }
    }

    /// Adds the tangent of all levels' outputs at a point for the tangent `v` of the point.
    pub(crate) fn tangent<T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        at: [&[T]; 2],
        y: &mut [T],
    ) {
        let features = self.features_per_level as usize;
        for (level, y) in levels.iter().zip(y.chunks_mut(features)) {
            let first = level.first as usize * features;
            self.corners_along(level, at, |entry, along, _| {
                for (y, value) in y.iter_mut().zip(&tables[first + entry * features..]) {
                    *y += along * *value;
                }
            });
        }
    }

    /// Adds the gradients of `dot(dy, tangent)` with respect to the point and to the tables.
    pub(crate) fn vjp_of_tangent<T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        at: [&[T]; 2],
        dy: &[T],
        [dx, of_tables]: [&mut [T]; 2],
    ) {
        let features = self.features_per_level as usize;
        for (level, dy) in levels.iter().zip(dy.chunks(features)) {
            let first = level.first as usize * features;
            self.corners_along(level, at, |entry, along, bends| {
                let range = first + entry * features..first + (entry + 1) * features;
                let mut product = T::ZERO;
                for (value, dy) in tables[range.clone()].iter().zip(dy) {
                    product += *value * *dy;
                }
                for (dx, bend) in dx.iter_mut().zip(bends) {
                    *dx += bend * product;
                }
                for (gradient, dy) in of_tables[range].iter_mut().zip(dy) {
                    *gradient += along * *dy;
                }
            });
        }
    }

    /// Calls `f(entry, weight, derivatives)` for each corner of a cell. `derivatives` are those of
    /// the weight with respect to each input, and are computed only with `DERIVATIVES`.
    #[inline(always)]
    pub(crate) fn corners<T: Real, const DERIVATIVES: bool>(
        &self,
        level: &Level,
        x: &[T],
        f: impl FnMut(usize, T, [T; D]),
    ) {
        // The loops over coordinates have constant bounds, and are written out.
        match self.coordinates(x.len()) {
            1 => Mapping::<T, 1>::new(self).corners::<DERIVATIVES>(level, x, f),
            2 => Mapping::<T, 2>::new(self).corners::<DERIVATIVES>(level, x, f),
            3 => Mapping::<T, 3>::new(self).corners::<DERIVATIVES>(level, x, f),
            _ => Mapping::<T, 4>::new(self).corners::<DERIVATIVES>(level, x, f),
        }
    }

    /// Adds the outputs of rows: `x` gives a row's point of `inputs` numbers, and a line of `y`, which
    /// has `line` elements, takes them from `first` on.
    #[inline(always)]
    pub(crate) fn values<'a, T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        (x, inputs): (impl Fn(usize) -> &'a [T], usize),
        y: (&mut [T], usize, usize),
    ) {
        match self.coordinates(inputs) {
            1 => Mapping::<T, 1>::new(self).values(levels, tables, x, y),
            2 => Mapping::<T, 2>::new(self).values(levels, tables, x, y),
            3 => Mapping::<T, 3>::new(self).values(levels, tables, x, y),
            _ => Mapping::<T, 4>::new(self).values(levels, tables, x, y),
        }
    }

    /// Adds the gradient of one row's inputs to `dx`.
    pub(crate) fn vjp<T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        x: &[T],
        dy: &[T],
        dx: &mut [T],
    ) {
        let features = self.features_per_level as usize;
        for (l, share, slope) in self.seen(x) {
            if share == T::ZERO && slope == T::ZERO {
                continue;
            }
            let level = &levels[l];
            let first = level.first as usize * features;
            let dy = &dy[self.output_of(l)..][..features];
            self.corners::<T, true>(level, x, |entry, weight, derivatives| {
                let values = &tables[first + entry * features..];
                let mut product = T::ZERO;
                for (value, dy) in values.iter().zip(dy) {
                    product += *value * *dy;
                }
                for (dx, derivative) in dx[..self.coordinates(x.len())].iter_mut().zip(derivatives)
                {
                    *dx += share * derivative * product;
                }
                if self.mips {
                    dx[2] += slope * weight * product;
                }
            });
        }
    }

    /// The levels' parts of the gradient of this grid's tables. `place` is the grid's, `x` the rows, of
    /// `width` columns.
    pub(crate) fn parts<'a, T: Real>(
        &self,
        levels: &'a [Level],
        place: &EncodingRange,
        (x, width): (&[T], usize),
        mut tables: &'a mut [T],
    ) -> Vec<LevelGradient<'a, T>> {
        let mut rows = vec![Vec::new(); if self.mips { levels.len() } else { 0 }];
        if self.mips {
            for (row, x) in (0..).zip(x.chunks(width)) {
                let both = self.mip_shares(&x[place.inputs.clone()]).into_iter();
                for (l, share, _) in both.filter(|(_, share, _)| *share != T::ZERO) {
                    rows[l].push((row, share));
                }
            }
        }
        let mut parts = Vec::new();
        for (l, level) in levels.iter().enumerate() {
            let size = level.entries() as usize * self.features_per_level as usize;
            let (table, later) = tables.split_at_mut(size);
            tables = later;
            let rows = rows.get_mut(l).map(std::mem::take);
            let (inputs, first) = (place.inputs.clone(), place.outputs.start + self.output_of(l));
            parts.push(LevelGradient { grid: *self, level, inputs, first, table, rows });
        }
        parts
    }
}

/// The way of a point of N coordinates to a level's cells.
struct Mapping<'a, T, const N: usize> {
    grid: &'a Grid,
    lower: [T; N],
    slopes: [T; N],
}

impl<'g, T: Real, const N: usize> Mapping<'g, T, N> {
    #[inline(always)]
    fn new(grid: &'g Grid) -> Self {
        let of = |f: &dyn Fn(usize) -> f32| std::array::from_fn(|d| T::of(f64::from(f(d))));
        Self { grid, lower: of(&|d| grid.lower[d]), slopes: of(&|d| grid.slope(d)) }
    }

    /// See [`Grid::corners`]. A texture's level of detail, behind the coordinates, does not count.
    #[inline(always)]
    fn corners<const DERIVATIVES: bool>(
        &self,
        level: &Level,
        x: &[T],
        mut f: impl FnMut(usize, T, [T; D]),
    ) {
        let mut unit = [T::ZERO; N];
        for (d, (unit, x)) in unit.iter_mut().zip(&x[..N]).enumerate() {
            // As the shader does: the difference, then a product.
            *unit = self.grid.periodic((*x - self.lower[d]) * self.slopes[d]);
        }
        let place = level.place(&unit);
        let both: [_; N] = std::array::from_fn(|d| self.grid.weight(place.at[d]));
        for corner in 0..1_u32 << N {
            let mut cell: [u32; N] = std::array::from_fn(|d| place.cell[d]);
            let (mut weight, mut derivatives) = (T::ONE, [T::ONE; D]);
            for d in 0..N {
                let up = corner >> d & 1;
                cell[d] += up;
                let (share, derivative) = both[d];
                let share = if up == 1 { share } else { T::ONE - share };
                weight *= share;
                if !DERIVATIVES {
                    continue;
                }
                let derivative = if up == 1 { derivative } else { -derivative }
                    * T::of(f64::from(level.scale[d]))
                    * place.inside[d]
                    * self.slopes[d];
                for (other, product) in derivatives.iter_mut().enumerate().take(N) {
                    *product *= if other == d { derivative } else { share };
                }
            }
            f(level.entry(cell) as usize, weight, derivatives);
        }
    }

    /// Calls `take(row, level, share, corners)` for the rows that `seen` gives with the levels they see:
    /// each corner's entry and weight. Corners are found for some rows ahead, so that what `take` reads
    /// is not waited for row by row.
    #[inline(always)]
    fn each<'a>(
        &self,
        levels: &[Level],
        mut seen: impl Iterator<Item = (usize, usize, T)>,
        x: impl Fn(usize) -> &'a [T],
        mut take: impl FnMut(usize, usize, T, &[(usize, T)]),
    ) {
        let mut corners = [(0, T::ZERO); AHEAD];
        let mut rows = [(0, 0, T::ZERO); AHEAD];
        loop {
            let mut count = 0;
            for (row, level, share) in seen.by_ref().take(AHEAD >> N) {
                rows[count] = (row, level, share);
                let mut own = corners[count << N..][..1 << N].iter_mut();
                self.corners::<false>(
                    &levels[level],
                    x(row),
                    #[inline(always)]
                    |entry, weight, _| {
                        if let Some(corner) = own.next() {
                            *corner = (entry, weight);
                        }
                    },
                );
                count += 1;
            }
            if count == 0 {
                return;
            }
            for ((row, level, share), corners) in
                rows[..count].iter().zip(corners.chunks_exact(1 << N))
            {
                take(*row, *level, *share, corners);
            }
        }
    }

    /// See [`Grid::values`]. Level after level, whose entries then stay in the cache; a row of a texture
    /// sees only two.
    #[inline(always)]
    fn values<'a>(
        &self,
        levels: &[Level],
        tables: &[T],
        x: impl Fn(usize) -> &'a [T],
        (y, line, first): (&mut [T], usize, usize),
    ) {
        let (grid, rows) = (self.grid, y.len() / line);
        let features = grid.features_per_level as usize;
        for l in 0..if grid.mips { 1 } else { levels.len() } {
            let seen = (0..rows).flat_map(
                #[inline(always)]
                |row| {
                    let one = [(l, T::ONE, T::ZERO), (l, T::ZERO, T::ZERO)];
                    let both = if grid.mips { grid.mip_shares(x(row)) } else { one };
                    both.map(|(l, share, _)| (row, l, share))
                },
            );
            self.each(
                levels,
                seen.filter(|(.., share)| *share != T::ZERO),
                &x,
                #[inline(always)]
                |row, l, share, corners| {
                    let table = &tables[levels[l].first as usize * features..];
                    let y = &mut y[row * line + first + grid.output_of(l)..][..features];
                    match features {
                        1 => add_value::<T, 1>(corners, table, share, y),
                        2 => add_value::<T, 2>(corners, table, share, y),
                        4 => add_value::<T, 4>(corners, table, share, y),
                        _ => add_value::<T, 8>(corners, table, share, y),
                    }
                },
            );
        }
    }
}

/// Corners that are found ahead.
const AHEAD: usize = 256;

/// Adds the F features at a cell's corners, times the level's share.
#[inline(always)]
fn add_value<T: Real, const F: usize>(corners: &[(usize, T)], table: &[T], share: T, y: &mut [T]) {
    let mut sums = [T::ZERO; F];
    for (entry, weight) in corners {
        for (sum, value) in sums.iter_mut().zip(&table[entry * F..][..F]) {
            *sum += *weight * *value;
        }
    }
    for (y, sum) in y.iter_mut().zip(sums) {
        *y += share * sum;
    }
}

/// The gradient of a level's entries. One core sums it, so the order of its additions is fixed.
pub(crate) struct LevelGradient<'a, T> {
    grid: Grid,
    level: &'a Level,
    /// The columns of the inputs.
    inputs: Range<usize>,
    /// The first column of the outputs.
    first: usize,
    table: &'a mut [T],
    /// The rows that see the level, with its share; all of them unless given.
    rows: Option<Vec<(u32, T)>>,
}

impl<T: Real> LevelGradient<'_, T> {
    /// Adds what the rows contribute, row after row. `x` and `delta` are given with their widths.
    #[inline(always)]
    pub fn add(&mut self, of: [(&[T], usize); 2]) {
        match self.grid.coordinates(self.inputs.len()) {
            1 => self.add_at::<1>(of),
            2 => self.add_at::<2>(of),
            3 => self.add_at::<3>(of),
            _ => self.add_at::<4>(of),
        }
    }

    #[inline(always)]
    fn add_at<const N: usize>(&mut self, of: [(&[T], usize); 2]) {
        match self.grid.features_per_level {
            1 => self.add_rows::<N, 1>(of),
            2 => self.add_rows::<N, 2>(of),
            4 => self.add_rows::<N, 4>(of),
            _ => self.add_rows::<N, 8>(of),
        }
    }

    #[inline(always)]
    fn add_rows<const N: usize, const F: usize>(
        &mut self,
        [(x, width_in), (delta, width_out)]: [(&[T], usize); 2],
    ) {
        let Self { grid, level, inputs, first, table, rows } = self;
        let count = rows.as_ref().map_or(x.len() / width_in, Vec::len);
        let seen = (0..count).map(|i| {
            let of = |rows: &Vec<(u32, T)>| (rows[i].0 as usize, rows[i].1);
            let (row, share) = rows.as_ref().map_or((i, T::ONE), of);
            (row, 0, share)
        });
        Mapping::<T, N>::new(grid).each(
            std::slice::from_ref(*level),
            seen,
            |row| &x[row * width_in..][inputs.clone()],
            #[inline(always)]
            |row, _, share, corners| {
                let delta = &delta[row * width_out + *first..][..F];
                let delta: [T; F] = std::array::from_fn(|i| share * delta[i]);
                for (entry, weight) in corners {
                    for (g, d) in table[entry * F..][..F].iter_mut().zip(delta) {
                        *g += *weight * d;
                    }
                }
            },
        );
    }
}
