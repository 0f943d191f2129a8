//! A training as the page holds it, on the CPU.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pollster::block_on;
use std::time::Duration;
use wgrad_playground::address::read;
use wgrad_playground::error::{Kind, Result};
use wgrad_playground::files::{read as read_file, write};
use wgrad_playground::session::Session;

fn session(address: &str) -> Session {
    Session::new(read(address).unwrap(), None, None).unwrap()
}

fn trained(address: &str, steps: u32) -> Session {
    let mut session = session(address);
    block_on(session.train(steps)).unwrap();
    session
}

#[test]
fn every_source_is_learnt() {
    for (address, loss) in [
        ("", 0.03),
        ("data=xor&layers=8,4", 0.05),
        ("data=gaussians&layers=", 0.02),
        ("data=moons&layers=8,8", 0.06),
        ("data=spiral&layers=16,16&features=x1,x2,sin1,sin2&optimizer=adam&rate=0.01", 0.1),
        ("data=plane&layers=", 0.002),
        ("data=hills&layers=12,12&rows=1200&optimizer=adam&rate=0.01", 0.01),
    ] {
        let mut session = trained(address, 5000);
        let [train, test] = block_on(session.scores(0)).unwrap();
        assert!(train.loss < loss && test.loss < 2.0 * loss, "{address}: {train:?} {test:?}");
    }
}

/// The loss written out, in f64.
#[test]
fn losses_are_half_the_mean_squared_error() {
    let mut session = trained("data=xor&layers=3", 50);
    let parameters = block_on(session.model(0)).unwrap();
    let p: Vec<f64> = parameters.values().iter().map(|v| f64::from(*v)).collect();
    let output = |[x, y, _]: [f32; 3]| {
        let hidden =
            |u: usize| (p[2 * u] * f64::from(x) + p[2 * u + 1] * f64::from(y) + p[6 + u]).tanh();
        ((0..3).map(|u| p[9 + u] * hidden(u)).sum::<f64>() + p[12]).tanh()
    };
    let rows = session.points().test.clone();
    let squares = rows.iter().map(|row| (output(*row) - f64::from(row[2])).powi(2));
    let expected = 0.5 * squares.sum::<f64>() / rows.len() as f64;
    let right = rows.iter().filter(|row| (output(**row) > 0.0) == (row[2] > 0.0)).count();
    let [_, test] = block_on(session.scores(0)).unwrap();
    assert!((test.loss - expected).abs() < 1e-6, "{} {expected}", test.loss);
    assert!((test.accuracy - right as f64 / rows.len() as f64).abs() < 1e-9);
}

#[test]
fn steps_and_epochs_are_counted() {
    let mut session = trained("rows=100&batch=10", 12);
    assert_eq!(session.taken().steps, 12);
    assert!((session.taken().epochs - 2.4).abs() < 1e-9);
    session.restart(None).unwrap();
    assert_eq!(session.taken().steps, 0);
    let first = block_on(self::session("rows=100&batch=10").model(0)).unwrap();
    assert_eq!(block_on(session.model(0)).unwrap(), first);
}

#[test]
fn rates_penalties_and_data_change_under_way() {
    let mut session = trained("data=xor", 100);
    let before = block_on(session.model(0)).unwrap();
    for same in [
        "data=xor&rate=0.1",
        "data=xor&l1=0.001",
        "data=xor&l2=0.01",
        "data=xor&noise=20",
        "data=circles",
        "data=xor&seed=3",
        "data=xor&discretize=1",
        "data=moons&data_seed=5",
    ] {
        assert!(session.change(read(same).unwrap()).unwrap(), "{same}");
        assert_eq!(session.description(), &read(same).unwrap());
        assert_eq!(block_on(session.model(0)).unwrap(), before, "{same}");
    }
    for other in [
        "data=plane",
        "layers=4",
        "layers=4,2-relu",
        "features=x1",
        "batch=0",
        "batch=11",
        "rows=400",
        "train=0.6",
        "optimizer=adam",
        "models=2",
    ] {
        assert!(!session.change(read(other).unwrap()).unwrap(), "{other}");
    }
    // A batch of more rows than there are is all of them.
    let mut full = trained("data=xor&batch=0", 1);
    assert!(full.change(read("data=xor&batch=300").unwrap()).unwrap());
    // The rate takes effect.
    assert!(session.change(read("data=xor&rate=0").unwrap()).unwrap());
    block_on(session.train(10)).unwrap();
    assert_eq!(block_on(session.model(0)).unwrap(), before);
    // And so do the penalties: weights shrink.
    let sum = |session: &mut Session| {
        block_on(session.model(0)).unwrap().values().iter().map(|v| v.abs()).sum::<f32>()
    };
    for penalty in ["l1=0.1", "l2=0.5"] {
        let mut session = trained("data=xor", 100);
        let before = sum(&mut session);
        assert!(session.change(read(&format!("data=xor&{penalty}")).unwrap()).unwrap());
        block_on(session.train(500)).unwrap();
        assert!(sum(&mut session) < 0.5 * before, "{penalty}");
    }
}

#[test]
fn maps_are_the_units() {
    let mut session = trained("data=hills&layers=3,2-relu&features=x1,x2x2", 30);
    let maps = block_on(session.maps(0, 5, 9)).unwrap();
    assert_eq!((maps.features.len(), maps.output.len()), (50, 81));
    assert_eq!(maps.units.iter().map(Vec::len).collect::<Vec<_>>(), [75, 50]);
    // The first point is at the top left.
    let (x1, x2) = (-4.8_f32, 4.8_f32);
    assert!((maps.features[0] - x1).abs() < 1e-5 && (maps.features[25] - x2 * x2).abs() < 1e-4);
    let p = block_on(session.model(0)).unwrap().values().to_vec();
    for unit in 0..3 {
        let expected = (p[2 * unit] * x1 + p[2 * unit + 1] * x2 * x2 + p[6 + unit]).tanh();
        assert!((maps.units[0][25 * unit] - expected).abs() < 1e-5);
    }
    assert!(maps.units[1].iter().all(|value| *value >= 0.0), "relu");
    // The middle of nine by nine is the middle of the square, as of five by five.
    let small = block_on(session.maps(0, 5, 5)).unwrap();
    assert_eq!(small.output[12], maps.output[40]);
    for (size, output) in [(0, 5), (5, 0), (5, 1025)] {
        assert!(block_on(session.maps(0, size, output)).is_err());
    }
    assert!(block_on(session.maps(1, 5, 5)).is_err());
}

#[test]
fn three_gradients_agree() {
    for address in [
        "layers=",
        "layers=3",
        "data=hills&layers=4-gelu&features=x1,x1x2&rate=0.001",
        "data=plane&layers=2,2",
    ] {
        let mut session = trained(address, 20);
        let layers = session.description().layers.len() + 1;
        for layer in 0..layers {
            let found = block_on(session.gradients(0, layer)).unwrap();
            assert!(found.largest_error < 1e-4, "{address}, {layer}: {found:?}");
            assert_eq!(found.by_hand.is_some(), layers <= 2);
            assert_eq!(found.names.len(), found.backprop.len());
        }
        assert!(block_on(session.gradients(0, layers)).is_err());
        assert!(block_on(session.gradients(1, 0)).is_err());
    }
    let found = block_on(trained("layers=2", 1).gradients(0, 0)).unwrap();
    assert_eq!(
        found.names,
        [
            "unit 1 ← x1",
            "unit 1 ← x2",
            "unit 2 ← x1",
            "unit 2 ← x2",
            "unit 1, bias",
            "unit 2, bias"
        ]
    );
    let mut wide = session("layers=256,256");
    assert!(block_on(wide.gradients(0, 1)).unwrap_err().message.contains("65792 parameters"));
}

#[test]
fn health_names_what_is_wrong() {
    let verdicts = |session: &mut Session| -> Vec<_> {
        block_on(session.health(0)).unwrap().iter().map(|layer| layer.verdict).collect()
    };
    assert_eq!(verdicts(&mut trained("data=xor&layers=8", 200)), ["", ""]);
    let mut deep = session("layers=4-sigmoid,4-sigmoid,4-sigmoid,4-sigmoid,4-sigmoid,4-sigmoid");
    assert_eq!(verdicts(&mut deep)[0], "vanishing");
    let mut dead = session("layers=2-relu");
    let mut parameters = block_on(dead.model(0)).unwrap().values().to_vec();
    parameters[4] = -1e3;
    block_on(dead.set_parameters(0, &parameters)).unwrap();
    let layers = block_on(dead.health(0)).unwrap();
    assert_eq!((layers[0].verdict, layers[0].dead, layers[0].units), ("dead units", 1, 2));
    assert!(layers[0].saturated >= 0.5);
    let mut wild = session("data=hills&features=x1x1,x2x2&layers=4-relu&rate=10");
    let mut parameters = block_on(wild.model(0)).unwrap().values().to_vec();
    parameters.iter_mut().for_each(|v| *v *= 20.0);
    block_on(wild.set_parameters(0, &parameters)).unwrap();
    assert!(verdicts(&mut wild).contains(&"exploding"));
}

#[test]
fn a_population_is_many_seeds() {
    let mut session = trained("data=xor&layers=4&models=300", 100);
    let [train, test] = block_on(session.population()).unwrap();
    assert_eq!((train.len(), test.len()), (300, 300));
    for model in [0, 1, 255, 256, 299] {
        let [one, other] = block_on(session.scores(model)).unwrap();
        assert!(
            (one.loss - f64::from(train[model])).abs() < 1e-6
                && (other.loss - f64::from(test[model])).abs() < 1e-6
        );
    }
    assert!(train.windows(2).any(|pair| pair[0] != pair[1]));
    let maps = block_on(session.mosaic(298, 2, 6)).unwrap();
    assert_eq!(maps.len(), 72);
    assert_eq!(maps[36..], block_on(session.maps(299, 6, 6)).unwrap().output);
    assert!(block_on(session.mosaic(298, 3, 6)).is_err());
    assert!(block_on(session.mosaic(usize::MAX, 3, 6)).is_err());
    assert!(block_on(session.scores(300)).is_err());
}

fn export(session: &mut Session, model: usize, format: &str) -> Result<Vec<u8>> {
    write(&block_on(session.model(model))?, &session.description().features, format)
}

fn import(session: &mut Session, bytes: &[u8], name: &str) -> Result<()> {
    let of = session.description();
    let values = read_file(bytes, name, &of.mlp()?, of.models)?;
    block_on(session.replace(values.values()))
}

#[test]
fn files_come_back() {
    let mut session = trained("data=xor&layers=4,3-relu", 100);
    let before = block_on(session.model(0)).unwrap();
    for format in ["safetensors", "onnx"] {
        let bytes = export(&mut session, 0, format).unwrap();
        block_on(session.train(10)).unwrap();
        assert_ne!(block_on(session.model(0)).unwrap(), before);
        import(&mut session, &bytes, &format!("network.{format}")).unwrap();
        assert_eq!(block_on(session.model(0)).unwrap(), before);
        assert_eq!(session.taken().steps, 0);
        let mut other = self::session("layers=5");
        let error = import(&mut other, &bytes, "network").unwrap_err().message;
        assert!(error.contains("2-5-1"), "{error}");
        assert!(import(&mut session, &bytes[..bytes.len() / 2], "half").is_err());
    }
    let text = String::from_utf8(export(&mut session, 0, "wgsl").unwrap()).unwrap();
    assert!(text.contains("fn network(x: array<f32, 2>)") && text.contains("fn network_at("));
    let mut wide = self::session("layers=65");
    let text = String::from_utf8(export(&mut wide, 0, "wgsl").unwrap()).unwrap();
    assert!(text.contains("var<storage"));
    assert!(export(&mut session, 0, "png").is_err());
    assert!(export(&mut session, 7, "onnx").is_err());
    for (bytes, name) in [
        (&b""[..], "empty"),
        (b"hello", "words.txt"),
        (b"\x89PNG\r\n\x1a\n0000", "a.png"),
        (&[0; 64], "a.onnx"),
        (b"00000000{", "a.safetensors"),
    ] {
        let error = import(&mut session, bytes, name).unwrap_err().message;
        assert!(error.starts_with(name), "{error}");
    }
    assert_eq!(block_on(session.model(0)).unwrap(), before);
    // One model of a population.
    let mut many = trained("data=xor&layers=4,3-relu&models=3", 10);
    let kept = block_on(many.model(2)).unwrap();
    let bytes = export(&mut session, 0, "safetensors").unwrap();
    import(&mut many, &bytes, "one").unwrap();
    assert_eq!(block_on(many.model(0)).unwrap(), before);
    assert_eq!(block_on(many.model(2)).unwrap(), kept);
}

#[test]
fn what_is_measured_is_taken_back() {
    for address in ["data=xor", "data=xor&optimizer=adam&rate=0.01"] {
        let mut session = trained(address, 100);
        let before = block_on(session.model(0)).unwrap();
        let (steps, time) = block_on(session.speed(Duration::from_millis(20))).unwrap();
        assert!(steps > 100 && time >= Duration::from_millis(20));
        assert_eq!(block_on(session.model(0)).unwrap(), before);
        block_on(session.train(50)).unwrap();
        assert_eq!(
            block_on(session.model(0)).unwrap(),
            block_on(trained(address, 150).model(0)).unwrap()
        );
    }
}

#[test]
fn what_cannot_be_is_an_error() {
    let error = |address: &str| Session::new(read(address).unwrap(), None, None).err();
    assert!(error("data=own").is_some_and(|error| error.message.contains("no points yet")));
    // One point is trained on, and none is held out.
    let mut one = trained("data=own&points=1,2,1", 10);
    assert!(block_on(one.scores(0)).unwrap()[1].loss.is_nan());
    assert!(block_on(one.population()).unwrap()[1][0].is_nan());
    let mut session = session("data=hills&layers=2&rate=1000&features=x1x1,x2x2");
    let diverged = block_on(session.train(1000)).unwrap_err();
    assert_eq!(diverged.kind, Kind::Diverged);
    assert!(block_on(session.model(0)).unwrap().values().iter().all(|v| v.is_finite()));
    assert!(block_on(session.set_parameters(0, &[0.0])).is_err());
    let length = session.length();
    assert!(block_on(session.set_parameters(0, &vec![f32::NAN; length])).is_err());
    assert!(block_on(session.set_parameters(1, &vec![0.0; length])).is_err());
    block_on(session.set_parameters(0, &vec![0.5; length])).unwrap();
    assert_eq!(block_on(session.model(0)).unwrap().values(), vec![0.5; length]);
}
