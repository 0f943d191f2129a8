//! Scenes whose light is known in closed form: what `--check` compares the renderers with.

use crate::cache::Cache;
use crate::common::{Options, Outcome, Stop, say};
use crate::passes::uniform;
use crate::path_tracer::PathTracer;
use crate::scene::{Material, Scene};
use wgrad::Gpu;

const SIZE: [u32; 2] = [64, 48];

/// The seed of the checks' random numbers.
const SEED: u32 = 5;

/// A white furnace: all walls of a closed cube shine with 1 and reflect a half. The light is
/// 1 + ½ (1 + ½ (…)) = 2 in every direction, from any place.
fn furnace() -> Scene {
    let mut scene = Scene::empty(SIZE, [0.3, 1.2, 0.4], [0.0, 1.5, -0.5], 0.6);
    scene.material(0, Material { diffuse: [0.5; 3], roughness: 1.0, ..Material::default() });
    for axis in 0..3 {
        let edge = |d: usize| std::array::from_fn(|i| if i == (axis + d) % 3 { 2.0 } else { 0.0 });
        let (low, mut high) = ([-1.0, 0.5, -1.0], [-1.0, 0.5, -1.0]);
        high[axis] += 2.0;
        scene.light(0, [low, edge(1), edge(2)], [1.0; 3]);
        scene.light(0, [high, edge(2), edge(1)], [1.0; 3]);
    }
    scene
}

/// Spheres of one material under a sky that is 1 everywhere. Where they reflect all light they
/// cannot be seen.
fn under_the_sky(material: Material) -> Scene {
    let mut scene = Scene::empty(SIZE, [0.0, 1.4, 3.0], [0.0, 1.0, 0.0], 0.4);
    scene.sky = [1.0; 3];
    scene.material(0, material);
    scene.flake(0, [0.0, 1.0, 0.0, 0.5]);
    scene
}

/// The mean of all pixels' means, and its standard error.
fn statistics(sums: &[f32]) -> [f64; 2] {
    let means = sums.chunks(4).map(|s| f64::from(s[0] + s[1] + s[2]) / 3.0 / f64::from(s[3]));
    let means: Vec<f64> = means.collect();
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let variance = means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (count - 1.0);
    [mean, (variance / count).sqrt()]
}

/// Says what was found, and fails where it is not within 5 standard errors of `low` to `high`.
fn judge(what: &str, sums: &[f32], [low, high]: [f64; 2], options: &Options) -> Outcome {
    let [mean, error] = statistics(sums);
    say!(options, "{what}: {mean:.5} ± {error:.5}; expected {low} to {high}");
    let off = (low - mean).max(mean - high);
    if !(off <= 5.0 * error) {
        return Err(Stop::Failed(format!("{what}: the light is wrong")));
    }
    Ok(())
}

fn path_traced(gpu: &Gpu, scene: &Scene, samples: u32) -> Outcome<Vec<f32>> {
    let uniform = uniform(gpu.device(), "scene", bytemuck::bytes_of(scene));
    let tracer = PathTracer::new(gpu, scene, &uniform, SEED);
    tracer.run(samples)?;
    tracer.sums.read()
}

pub fn check(gpu: &Gpu, options: &Options) -> Outcome {
    let furnace = furnace();
    judge("a furnace, path traced", &path_traced(gpu, &furnace, 64)?, [2.0; 2], options)?;
    let white = Material { diffuse: [1.0; 3], roughness: 1.0, ..Material::default() };
    let sums = path_traced(gpu, &under_the_sky(white), 64)?;
    judge("white spheres under a white sky", &sums, [1.0; 2], options)?;
    // Light that a rough mirror scatters from facet to facet is lost: the model has no more.
    let mirror = Material { specular: [1.0; 3], roughness: 0.4, ..Material::default() };
    let sums = path_traced(gpu, &under_the_sky(mirror), 64)?;
    judge("rough mirrors under a white sky", &sums, [0.97, 1.0], options)?;

    let uniform = uniform(gpu.device(), "scene", bytemuck::bytes_of(&furnace));
    let mut cache = Cache::new(gpu, &furnace, &uniform, SEED)?;
    (0..60).try_for_each(|_| cache.run())?;
    let before = cache.sums.read()?;
    (0..20).try_for_each(|_| cache.run())?;
    let sums: Vec<f32> = cache.sums.read()?.iter().zip(&before).map(|(a, b)| a - b).collect();
    // A network is right to a few per cent.
    judge("the furnace with the cache", &sums, [1.95, 2.05], options)
}
