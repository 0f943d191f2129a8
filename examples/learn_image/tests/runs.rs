//! Runs: samples, averages, options.

use super::{Folder, source};
use crate::common::{Options, Stop, count, time};
use crate::crop::Crop;
use crate::gpu::{OnGpu, Tiles};
use crate::learner::{Learner, place};
use crate::{Arguments, learn, preset};
use clap::Parser as _;
use wgrad::{Activation, Adam, Gpu, Loss, Mlp, Model, Training};

#[test]
fn tiles_are_few_and_cover_all() {
    let tiles = |size, most, layers| Tiles::new(size, most, layers);
    assert_eq!(tiles([640, 427], 8192, 256).unwrap(), Tiles { tile: [640, 427], count: [1, 1] });
    assert_eq!(tiles([20_000, 1], 8192, 256).unwrap(), Tiles { tile: [6667, 1], count: [3, 1] });
    assert_eq!(tiles([7, 5], 4, 256).unwrap(), Tiles { tile: [4, 3], count: [2, 2] });
    // Rounding up, four tiles of 3 would leave the last without a pixel.
    assert_eq!(tiles([9, 1], 2, 256).unwrap().layers(), 5);
    let Err(Stop::Failed(text)) = tiles([100, 100], 10, 99) else { panic!("99 layers are few") };
    assert!(text.contains("10 x 10 textures of 10 a side"), "{text}");
}

fn training() -> Training {
    Training { seed: 7, ..preset("hash", 3).1 }
}

#[test]
fn samples_are_the_cpu_s_in_tiles_or_not() {
    let gpu = Gpu::new().unwrap();
    for name in ["rgb.png", "grey.png", "rgba_half.png", "grey_alpha16.png", "half_zip.exr"] {
        let source = source(name);
        let (mlp, _) = preset("siren", source.channels);
        let sampled = [8192, 7].map(|most| {
            let on_gpu = OnGpu::new(&gpu, &mlp, &training(), &source, 500, most).unwrap();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            on_gpu.sample(&mut encoder);
            gpu.queue().submit([encoder.finish()]);
            let read = |i: usize, values: usize| -> Vec<f32> {
                crate::submit::read(&gpu, &on_gpu.data[i], 4 * values as u64).unwrap()
            };
            (read(0, 1000), read(1, 500 * source.channels))
        });
        assert_eq!(sampled[0], sampled[1], "{name}: tiles change the samples");
        let (places, lights) = &sampled[0];
        for (i, light) in (0_u32..).zip(lights.chunks(source.channels)) {
            let at = place(i, 0, 7);
            assert_eq!(places[2 * i as usize..][..2], at, "{name}: sample {i}");
            for (found, expected) in light.iter().zip(source.sample(at)) {
                let error = (found - expected).abs();
                // A texture's sRGB has its own rounding.
                assert!(error <= 2e-3 * expected.abs().max(1.0), "{name}: {found}, {expected}");
            }
        }
    }
}

#[test]
fn the_average_is_drawn_measured_and_saved() {
    let source = source("rgba_half.png");
    let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(4, Activation::Identity);
    let training =
        Training::new(Loss::MeanSquaredError, Adam { rate: 0.05, ..Adam::default() }).ema(0.9);
    let device = Gpu::new().unwrap();
    for gpu in [Some(&device), None] {
        let mut learner = Learner::new(gpu, &mlp, &training, &source, 256).unwrap();
        learner.train(8).unwrap();
        let last = learner.trainer().parameters().unwrap();
        let average = learner.trainer().ema_parameters().unwrap();
        assert_ne!(last.values(), average.values());
        assert_eq!(learner.parameters().unwrap().values(), average.values());
        let crop = Crop::new(&source, [0.5, 0.5]);
        let by_last = Model::new(&device, &last).unwrap().predict(&crop.places()).unwrap();
        let seen = learner.eye().unwrap().predict(&crop.places()).unwrap();
        let drawn = learner.draw(&crop).unwrap();
        assert_eq!(drawn.len(), seen.len());
        let far =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far(&seen, &by_last) > 1e-2, "the average predicts what the last step does");
        assert!(far(&drawn, &seen) < 1e-4, "another network was drawn");
        // The training goes on from the last parameters.
        learner.eye().unwrap();
        assert_eq!(learner.trainer().parameters().unwrap().values(), last.values());
    }
}

fn arguments(words: &[&str]) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from([&["learn_image"], words].concat())
}

#[test]
fn whole_runs_of_strange_sizes() {
    let folder = Folder::new("runs");
    let out = folder.0.to_str().unwrap();
    let run = |words: &[&str]| {
        let common = ["--device", "cpu", "--quick", "--batch", "64", "--out", out];
        learn(&arguments(&[&common, words].concat()).unwrap()).unwrap();
    };
    for (name, size) in [("point.png", [1, 1]), ("line.png", [1, 5000]), ("row.png", [3000, 2])] {
        let path = folder.0.join(name);
        image::RgbImage::from_fn(size[0], size[1], |x, y| image::Rgb([x as u8, y as u8, 9]))
            .save(&path)
            .unwrap();
        run(&[path.to_str().unwrap(), "--steps", "1"]);
        let drawn = folder.0.join("learn_image/picture.png");
        let size = size.map(|side: u32| (side / 2).max(1));
        assert_eq!(image::image_dimensions(drawn).unwrap(), (size[0], size[1]), "{name}");
    }
    // What one run saves, another begins with.
    let saved = folder.0.join("first.safetensors");
    let picture = super::file("rgba_half.png");
    let picture = picture.to_str().unwrap();
    run(&[picture, "--steps", "3", "--preset", "frequency"]);
    std::fs::rename(folder.0.join("learn_image/parameters.safetensors"), &saved).unwrap();
    let saved = saved.to_str().unwrap();
    let asked = arguments(&["--preset", "frequency", "--parameters", saved]).unwrap();
    let (mlp, _) = asked.recipe(4).unwrap();
    let first = asked.first(&mlp).unwrap().unwrap();
    assert_eq!(first.values().len(), mlp.parameters());
    run(&[picture, "--steps", "1", "--preset", "frequency", "--parameters", saved]);
    let Err(Stop::Failed(text)) = asked.first(&preset("frequency", 3).0) else {
        panic!("parameters of another network")
    };
    assert!(text.contains("first.safetensors") && text.contains("the network here is"), "{text}");
}

#[test]
fn options_that_contradict_are_refused() {
    let refused = |words: &[&str]| arguments(words).err().unwrap().to_string();
    let text = refused(&["--config", "a.json", "--preset", "siren"]);
    assert!(text.contains("'--config <FILE>' cannot be used with '--preset <NAME>'"), "{text}");
    assert!(arguments(&["--config", "a.json"]).is_ok());
    assert!(refused(&["--partial"]).contains("<PICTURE>"));
    assert!(refused(&["--crop", "2,0"]).contains("two numbers of 0 to 1"));
}

#[test]
fn counts_and_times_are_in_words() {
    assert_eq!([0, 1, 1000].map(|n| count(n, "step")), ["0 steps", "1 step", "1,000 steps"]);
    assert_eq!([0.0, 3e-7, 2e-6].map(time), ["0 ns", "300 ns", "2.0 µs"]);
    let options = Options { out: "out".into(), ..arguments(&[]).unwrap().options };
    assert!(!options.quick);
}
