//! Addresses hold all of a description, and what cannot be read is an error.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use wgrad::{Activation, Optimizer};
use wgrad_playground::address::{read, write};
use wgrad_playground::description::{Description, Hidden, Source, Task};
use wgrad_playground::feature::Feature;

fn source() -> impl Strategy<Value = (Source, Task)> {
    let named = Source::CLASSIFICATION.into_iter().map(|source| (source, Task::Classification));
    let all: Vec<_> = named
        .chain(Source::REGRESSION.into_iter().map(|source| (source, Task::Regression)))
        .collect();
    prop::sample::select(all)
}

fn layer() -> impl Strategy<Value = Hidden> {
    (1..20_usize, prop::sample::select(Activation::ALL.to_vec()))
        .prop_map(|(units, activation)| Hidden::new(units, activation.name()))
}

/// Coordinates of many digits, few digits and none.
fn coordinate() -> impl Strategy<Value = f64> {
    prop_oneof![
        -6.0..6.0,
        (-600..600_i32).prop_map(|v| f64::from(v) / 100.0),
        Just(0.0),
        Just(-6.0)
    ]
}

prop_compose! {
    fn description()(
        (data, task) in source(),
        own in prop::collection::vec((coordinate(), coordinate(), any::<bool>(), -9.0..9.0), 0..12),
        (rows, noise, train) in (2..5000_usize, 0.0..50.0, 0.1..0.9),
        features in prop::sample::subsequence(Feature::ALL.to_vec(), 1..=7),
        layers in prop::collection::vec(layer(), 0..6),
        (batch, rate, l1, l2) in (0..500_usize, 0.0..10.0, 0.0..1.0, prop_oneof![Just(0.0), 0.0..1e-9]),
        optimizer in prop::sample::select(Optimizer::all().iter().map(Optimizer::name).collect::<Vec<_>>()),
        (seed, data_seed, models) in (any::<u32>(), any::<u32>(), 1..100_usize),
        (discretize, show_test) in any::<(bool, bool)>(),
    ) -> Description {
        let points = own.into_iter().flat_map(|(x, y, class, value)| {
            let class = if class { 1.0 } else { -1.0 };
            [x, y, if task == Task::Classification { class } else { value }]
        });
        let points = if data == Source::Own { points.collect() } else { Vec::new() };
        Description {
            task, data, points, rows, noise, train, data_seed, features, layers, batch, rate, l1, l2,
            optimizer: optimizer.into(), seed, models, discretize, show_test,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_was_written_is_read(of in description()) {
        let text = write(&of);
        prop_assert_eq!(read(&text).map_err(|e| e.to_string()), Ok(of.clone()), "{}", &text);
        prop_assert_eq!(read(&format!("#{text}")).unwrap(), of.clone());
        // A program may write every character as %XX.
        let values = text.split('&').map(|part| match part.split_once('=') {
            Some((name, value)) => {
                let coded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
                format!("{name}={coded}")
            }
            None => part.to_owned(),
        });
        prop_assert_eq!(read(&values.collect::<Vec<_>>().join("&")).unwrap(), of.clone());
        // JSON, by which a page hands it over.
        let json = serde_json::to_string(&of).unwrap();
        prop_assert_eq!(serde_json::from_str::<Description>(&json).unwrap(), of);
    }

    #[test]
    fn nothing_that_is_read_panics(text in "[#&=a-z0-9%,.\\-_]{0,60}") {
        if let Ok(of) = read(&text) {
            prop_assert_eq!(read(&write(&of)).unwrap(), of);
        }
    }
}

#[test]
fn defaults_are_left_out() {
    assert_eq!(write(&Description::default()), "");
    assert_eq!(read("").unwrap(), Description::default());
    assert_eq!(read("#").unwrap(), Description::default());
    let regression = read("task=regression").unwrap();
    assert_eq!((regression.data, regression.task), (Source::Plane, Task::Regression));
    assert_eq!(write(&regression), "data=plane");
    assert_eq!(write(&read("data=own&task=regression").unwrap()), "task=regression&data=own");
    let text = "data=spiral&features=x1,x2,sin1&layers=8,8-relu&rate=0.01";
    assert_eq!(write(&read(text).unwrap()), text);
    assert_eq!(read("layers=").unwrap().layers, []);
}

#[test]
fn what_cannot_be_read_is_named() {
    for (text, words) in [
        ("colour=red", "colour"),
        ("data", "data="),
        ("data=square", "square"),
        ("rate=fast", "rate=fast"),
        ("rate=-1", "the learning rate is -1"),
        ("rate=NaN", "the learning rate"),
        ("rate=inf", "the learning rate"),
        ("rate=1&rate=2", "rate twice"),
        ("noise=51", "the noise is 51"),
        ("train=1", "the share"),
        ("rows=1", "the number of points is 1"),
        ("rows=1000000000", "the number of points"),
        ("features=", "one feature"),
        ("features=x3", "x3"),
        ("features=x1,x1", "each feature stands once"),
        ("layers=0", "the units of hidden layer 1 is 0"),
        ("layers=4,", "layers="),
        ("layers=4-thanh", "thanh"),
        ("layers=999999999999999999999", "layers="),
        ("layers=257", "the units of hidden layer 1 is 257"),
        ("optimizer=lbfgs", "lbfgs"),
        ("models=0", "the number of models is 0"),
        ("models=100000&layers=256,256", "the number of parameters of all models"),
        ("seed=-1", "seed=-1"),
        ("points=1,2,1", "points belong to"),
        ("data=own&points=1,2", "there are 2 numbers"),
        ("data=own&points=1,2,3", "the class of point 1 is 3"),
        ("data=own&points=7,2,1", "x1 of point 1 is 7"),
        ("data=plane&task=classification", "not for a classification"),
        ("discretize=maybe", "discretize=maybe"),
        ("data=%zz", "%zz"),
        ("data=%f", "%f"),
        ("data=%ff", "%ff"),
    ] {
        let error = read(text).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
