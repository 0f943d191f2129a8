//! The points of every source, and points that are read.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use wgrad_playground::address::read;
use wgrad_playground::csv;
use wgrad_playground::description::{Description, Source, Task};
use wgrad_playground::points::Points;

fn points(address: &str) -> Points {
    Points::new(&read(address).unwrap()).unwrap()
}

#[test]
fn points_are_split_seeded_and_within_the_square() {
    for source in Source::CLASSIFICATION.into_iter().chain(Source::REGRESSION) {
        if source == Source::Own {
            continue;
        }
        for noise in [0, 25, 50] {
            let address = format!("data={}&noise={noise}&rows=401&train=0.3", source.name());
            let found = points(&address);
            assert_eq!((found.train.len(), found.test.len()), (120, 281), "{address}");
            assert_eq!(found, points(&address));
            assert_ne!(found, points(&format!("{address}&data_seed=1")));
            let all = found.train.iter().chain(&found.test);
            for [x, y, target] in all.clone() {
                assert!(x.abs() <= 6.0 && y.abs() <= 6.0 && target.abs() <= 2.4, "{address}");
            }
            if source.task() == Some(Task::Classification) {
                let positive = all.clone().filter(|p| p[2] == 1.0).count();
                assert!(all.clone().all(|p| p[2].abs() == 1.0), "{address}");
                assert!((140..261).contains(&positive), "{address}: {positive} of class 1");
            }
        }
    }
}

#[test]
fn shapes_are_those_of_their_names() {
    for [x, y, t] in points("").train {
        assert_eq!(x.hypot(y) < 2.5, t > 0.0, "a disc and a ring");
        assert!(!(2.51..3.49).contains(&x.hypot(y)), "a gap");
    }
    for [x, y, t] in points("data=xor").train {
        assert_eq!(x * y > 0.0, t > 0.0);
        assert!(x.abs() >= 0.3 && y.abs() >= 0.3 && x.abs() <= 5.3);
    }
    for [x, y, t] in points("data=plane").train {
        assert!((t - (x + y) / 10.0).abs() < 1e-6);
    }
    let hills = points("data=hills&rows=2000").train;
    for [x, y, t] in &hills {
        if (x - 4.0).hypot(y - 2.5) < 0.5 {
            assert!(*t > 0.7);
        }
        if x.hypot(y - 2.5) < 0.5 {
            assert!(*t < -0.7);
        }
    }
    // A spiral's points lie on its arms.
    for [x, y, t] in points("data=spiral").train {
        let radius = f64::from(x).hypot(y.into());
        let turn = 1.75 * std::f64::consts::TAU * radius / 5.0
            + if t > 0.0 { 0.0 } else { std::f64::consts::PI };
        assert!((f64::from(x) - radius * turn.sin()).abs() < 1e-4);
    }
    // Noise puts some points on the wrong side.
    let noisy = points("noise=50").train;
    assert!(noisy.iter().any(|[x, y, t]| (x.hypot(*y) < 2.5) != (*t > 0.0)));
}

#[test]
fn own_points_are_taken_as_they_are() {
    let found = points("data=own&points=1,2,1,-3,0.5,-1,6,-6,1");
    let mut all: Vec<_> = found.train.into_iter().chain(found.test).collect();
    all.sort_by(|a, b| a[0].total_cmp(&b[0]));
    assert_eq!(all, [[-3.0, 0.5, -1.0], [1.0, 2.0, 1.0], [6.0, -6.0, 1.0]]);
    assert_eq!(points("data=own&points=1,2,1").train.len(), 1);
    assert_eq!(points("data=own").train.len(), 0);
}

#[test]
fn texts_of_points_are_read() {
    for text in [
        "1,2,1\n-3,0.5,0",
        "x,y,class\n1,2,1\n-3,0.5,0\n",
        "\u{feff}x1;x2;label\r\n1;2;1\r\n-3;0,5;0\r\n",
        "1\t2\t1\n-3\t0.5\t-1",
        "# a comment\n 1 2 b\n-3   0.5 a\n\n",
        "\"x\",\"y\",\"c\"\n\"1\",\"2\",\"yes\"\n\"-3\",\"0.5\",\"no\"",
    ] {
        let table = csv::read(text).expect(text);
        assert_eq!(table.points, [1.0, 2.0, 1.0, -3.0, 0.5, -1.0], "{text}");
        assert_eq!(table.task, Task::Classification);
    }
    let table = csv::read("1,2,0.5\n2,3,0.25\n3,4,-1").unwrap();
    assert_eq!((table.task, table.points[2]), (Task::Regression, 0.5));
    let table = csv::read("100,2,10\n200,3,20\n300,4,40").unwrap();
    assert_eq!(table.points, [-5.0, 2.0, 0.25, 0.0, 3.0, 0.5, 5.0, 4.0, 1.0]);
    assert!(
        table.message.contains("x1 from 100 to 300") && table.message.contains("divided by 40")
    );
    // What was read is a description's.
    let of = Description {
        data: Source::Own,
        task: table.task,
        points: table.points,
        ..Description::default()
    };
    of.check().unwrap();
}

#[test]
fn texts_that_hold_no_points_are_named() {
    for (text, words) in [
        ("", "no points"),
        ("\n\n# nothing\n", "no points"),
        ("x,y,label\n", "a header and no points"),
        ("1,2,1\n1,2", "line 2 has 2 columns"),
        ("1,2,1\n1,two,1", "line 2: x2 is \"two\""),
        ("1,2,1\n1,NaN,1", "line 2: x2"),
        ("1,2,1\n1,1e999,1", "line 2: x2"),
        ("1,2,a\n1,3,b\n1,4,c", "more than two"),
        ("1,2,a\n1,3,a", "so is every other"),
        ("{\"x\": 1}", "columns"),
    ] {
        let error = csv::read(text).expect_err(text).to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
