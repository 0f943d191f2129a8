//! An edited network goes on from what was learnt.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use pollster::block_on;
use wgrad_playground::address::read;
use wgrad_playground::carry::Keep;
use wgrad_playground::feature::Feature;
use wgrad_playground::session::Session;

fn learnt(address: &str) -> Session {
    let mut session = Session::new(read(address).unwrap(), None, None).unwrap();
    block_on(session.train(500)).unwrap();
    session
}

/// The largest difference of the outputs of a model before and after an edit.
fn difference(before: &mut Session, address: &str, keep: Option<&Keep>) -> f32 {
    let origin = block_on(before.origin()).unwrap();
    let mut after = Session::new(read(address).unwrap(), None, Some((&origin, keep))).unwrap();
    assert_eq!(after.taken(), before.taken());
    let mut largest = 0.0_f32;
    for model in 0..before.description().models.min(after.description().models) {
        let [a, b] = [&mut *before, &mut after]
            .map(|session| block_on(session.maps(model, 4, 40)).unwrap().output);
        largest = a.iter().zip(&b).fold(largest, |most, (a, b)| most.max((a - b).abs()));
    }
    // It goes on learning.
    block_on(after.train(20)).unwrap();
    largest
}

#[test]
fn new_units_features_and_layers_keep_the_outputs() {
    for (data, activation) in
        [("xor", "tanh"), ("spiral", "relu"), ("plane", "sigmoid"), ("hills", "gelu")]
    {
        let address = |features: &str, layers: &str| {
            let layers: Vec<_> = layers
                .split(',')
                .filter(|l| !l.is_empty())
                .map(|l| match l.contains('-') {
                    true => l.to_owned(),
                    false => format!("{l}-{activation}"),
                })
                .collect();
            format!("data={data}&features={features}&rate=0.01&layers={}", layers.join(","))
        };
        let mut before = learnt(&address("x1,x2", "4,3"));
        for (features, layers, bound) in [
            ("x1,x2", "4,3", 0.0),
            ("x1,x2", "6,3", 0.0),
            ("x1,x2", "4,8", 0.0),
            ("x1,x2", "9,9", 0.0),
            ("x1,x2,x1x1,sin2", "4,3", 0.0),
            ("x1,x2,x1x2", "5,5", 0.0),
            // A layer behind the others.
            ("x1,x2", "4,3,3-tanh", 0.15),
            ("x1,x2", "4,3,5-relu", 1e-3),
            ("x1,x2", "4,3,3-identity", 1e-5),
            ("x1,x2", "4,3,7-sigmoid", 0.15),
            ("x1,x2", "4,3,3-softplus", 0.03),
            ("x1,x2", "4,3,3-leaky_relu,4-identity", 1e-3),
        ] {
            let found = difference(&mut before, &address(features, layers), None);
            assert!(found <= bound, "{data}, {activation}, {features}, {layers}: {found}");
        }
        let mut before = learnt(&address("x1,x2", ""));
        let found = difference(&mut before, &address("x1,x2,x2x2", "4-relu"), None);
        assert!(found <= 1e-3, "{data}, {activation}, a first layer: {found}");
    }
}

/// Each unit of the new layer passes on the range that it sees: of sigmoids, 0 to 1, layer after layer.
#[test]
fn layers_behind_sigmoids_keep_the_outputs() {
    let mut before = learnt("data=xor&features=x1,x2,x1x2&rate=0.3&layers=4-sigmoid,4-sigmoid");
    let five = ["4-sigmoid"; 5].join(",");
    for (layers, bound) in [("4-sigmoid", 0.1), ("4-sigmoid,4-sigmoid", 0.2), (&five, 0.4)] {
        let address =
            format!("data=xor&features=x1,x2,x1x2&rate=0.3&layers=4-sigmoid,4-sigmoid,{layers}");
        let found = difference(&mut before, &address, None);
        assert!(found <= bound, "{layers}: {found}");
    }
}

/// A unit that is 0 everywhere, and one that is far above 0 everywhere, in front of a new layer.
#[test]
fn dead_and_constant_units_are_passed_on() {
    for activation in ["relu", "leaky_relu", "tanh", "sigmoid", "gelu"] {
        let mut before = learnt("data=xor&layers=4-relu,4-relu");
        let mut parameters = block_on(before.model(0)).unwrap().values().to_vec();
        // The biases of two units of the first layer.
        (parameters[8], parameters[9]) = (-60.0, 60.0);
        block_on(before.set_parameters(0, &parameters)).unwrap();
        let same = |layer: usize| (0..4).map(|unit| Some([layer, unit])).collect::<Vec<_>>();
        let keep = vec![same(0), vec![None; 4], same(1)];
        let address = format!("data=xor&layers=4-relu,4-{activation},4-relu");
        let origin = block_on(before.origin()).unwrap();
        let to = read(&address).unwrap();
        let after = Session::new(to, None, Some((&origin, Some(&keep))));
        let mut after = after.unwrap_or_else(|error| panic!("{activation}: {error}"));
        let [a, b] = [&mut before, &mut after]
            .map(|session| block_on(session.maps(0, 4, 40)).unwrap().output);
        let found = a.iter().zip(&b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        let bound = if activation.contains("relu") { 1e-3 } else { 0.5 };
        assert!(found <= bound, "{activation}: {found}");
    }
}

#[test]
fn kept_units_take_their_weights_along() {
    let mut before = learnt("data=xor&layers=4,3");
    let at = |layer, unit| Some([layer, unit]);
    let same =
        |layer: usize, units: usize| (0..units).map(|unit| at(layer, unit)).collect::<Vec<_>>();
    // Units in another order.
    let keep =
        vec![vec![at(0, 3), at(0, 1), at(0, 0), at(0, 2)], vec![at(1, 2), at(1, 0), at(1, 1)]];
    assert!(difference(&mut before, "data=xor&layers=4,3", Some(&keep)) <= 1e-6);
    // A layer in front, between and behind, a unit between the others.
    let new = |units| vec![None; units];
    for (layers, keep, bound) in [
        ("2-identity,4,3", vec![new(2), same(0, 4), same(1, 3)], 1e-5),
        ("4,6-relu,3", vec![same(0, 4), new(6), same(1, 3)], 1e-4),
        ("4,4,3", vec![same(0, 4), new(4), same(1, 3)], 0.15),
        ("4,3,3", vec![same(0, 4), same(1, 3), new(3)], 0.15),
        ("5,3", vec![vec![at(0, 0), at(0, 1), None, at(0, 2), at(0, 3)], same(1, 3)], 1e-6),
    ] {
        let found = difference(&mut before, &format!("data=xor&layers={layers}"), Some(&keep));
        assert!(found <= bound, "{layers}: {found}");
    }
    // A unit whose output is not used goes without a trace.
    let mut parameters = block_on(before.model(0)).unwrap().values().to_vec();
    for unit in 0..3 {
        parameters[12 + 4 * unit + 1] = 0.0;
    }
    block_on(before.set_parameters(0, &parameters)).unwrap();
    let keep = vec![vec![at(0, 0), at(0, 2), at(0, 3)], same(1, 3)];
    assert!(difference(&mut before, "data=xor&layers=3,3", Some(&keep)) <= 1e-6);
    // A layer that goes takes what it computed along; the others stay.
    let keep = vec![same(1, 3)];
    assert!(difference(&mut before, "data=xor&layers=3", Some(&keep)).is_finite());
}

#[test]
fn what_is_kept_must_fit() {
    let mut before = learnt("layers=4,3");
    let origin = block_on(before.origin()).unwrap();
    for (keep, words) in [
        (vec![], "0 layers"),
        (vec![vec![None; 4]], "1 layers"),
        (vec![vec![None; 4], vec![None; 2]], "2 units in layer 1"),
        (vec![vec![Some([0, 4]), None, None, None], vec![None; 3]], "no unit 4 in hidden layer 0"),
        (vec![vec![Some([2, 0]), None, None, None], vec![None; 3]], "no unit 0 in hidden layer 2"),
    ] {
        let error = Session::new(read("layers=4,3").unwrap(), None, Some((&origin, Some(&keep))));
        let error = error.err().expect(words).to_string();
        assert!(error.contains(words), "{error}");
    }
    // One unit twice, layers in another order: they begin anew.
    let keep = vec![vec![Some([0, 1]); 4], vec![Some([0, 0]), Some([1, 0]), None]];
    assert!(Session::new(read("layers=4,3").unwrap(), None, Some((&origin, Some(&keep)))).is_ok());
}

#[test]
fn models_of_a_population_are_carried_over() {
    let mut before = learnt("data=xor&layers=4&models=3");
    assert_eq!(difference(&mut before, "data=xor&layers=6&models=3", None), 0.0);
    assert_eq!(difference(&mut before, "data=xor&layers=4&models=1", None), 0.0);
    assert_eq!(difference(&mut before, "data=xor&layers=5&models=9", None), 0.0);
}

#[test]
fn features_that_went_are_gone() {
    let mut before = learnt("features=x1,x2,x1x1,x2x2&layers=3");
    let origin = block_on(before.origin()).unwrap();
    let to = read("features=x1x1,x2x2&layers=3").unwrap();
    let mut after = Session::new(to, None, Some((&origin, None))).unwrap();
    let [old, new] = [&mut before, &mut after]
        .map(|session| block_on(session.model(0)).unwrap().values().to_vec());
    for unit in 0..3 {
        assert_eq!(new[2 * unit..2 * unit + 2], old[4 * unit + 2..4 * unit + 4]);
    }
    assert_eq!(new[6..], old[12..]);
    assert_eq!(Feature::ALL.len(), 7);
}
