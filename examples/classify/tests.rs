//! Tables of every kind, and what is wrong with others; the split, the scaling, the counts.

#![allow(clippy::unwrap_used)]

use crate::common::Stop;
use crate::points::{Points, Scaling, confusion, probabilities};
use crate::report;
use crate::table::{self, Table};
use wgrad::{Activation, CpuTrainer, Data, Init, Loss, Mlp, Optimizer, Train, TrainBase, Training};

fn parse(text: &str) -> Table {
    table::parse(text.as_bytes(), None).unwrap_or_else(|stop| panic!("{stop:?} of {text:?}"))
}

/// Why a table is refused, and whether the command line is to blame.
fn refused(bytes: &[u8], label: Option<&str>) -> (String, bool) {
    match table::parse(bytes, label) {
        Err(Stop::Failed(text)) => (text, false),
        Err(Stop::Usage(text)) => (text, true),
        other => panic!("{other:?} of {:?}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn tables_of_every_kind_are_the_same_table() {
    let expected = parse("mass,size,kind\n1.5,-2,red\n3,4e-1,blue\n-0.25,7,red\n");
    assert_eq!(expected.inputs, ["mass", "size"]);
    assert_eq!(
        (&expected.label[..], &expected.classes[..]),
        ("kind", &["blue".into(), "red".into()][..])
    );
    assert_eq!(expected.x, [1.5, -2.0, 3.0, 0.4, -0.25, 7.0]);
    assert_eq!(expected.class, [1, 0, 1]);
    let same = |text: &str, label: Option<&str>| {
        let found = table::parse(text.as_bytes(), label).unwrap();
        assert_eq!((&found.x, &found.class), (&expected.x, &expected.class), "{text:?}");
        assert_eq!(found.classes, expected.classes, "{text:?}");
        found
    };
    for text in [
        "1.5,-2,red\n3,4e-1,blue\n-0.25,7,red",
        "\u{feff}1.5,-2,red\r\n3,4e-1,blue\r\n\r\n-0.25,7,red\r\n",
        " 1.5 , -2 , red \n\n3,.4,  blue\n-.25,+7,red\n,,\n",
        "\"1.5\",\"-2\",\"red\"\n3,0.4,blue\n-0.25,7,red\n",
        "1,5;-2;red\n3;4e-1;blue\n-0,25;7;red\n",
        "1.5\t-2\tred\n3\t0.4\tblue\n-0.25\t7\tred\n",
        "1,5|-2|red\n3|0,4|blue\n-0,25|7|red\n",
    ] {
        assert_eq!(same(text, None).inputs, ["column 1", "column 2"], "{text:?}");
    }
    for (text, label) in [
        ("kind,mass,size\nred,1.5,-2\nblue,3,0.4\nred,-0.25,7\n", "kind"),
        ("mass;kind;size\n1,5;red;-2\n3;blue;0,4\n-0,25;red;7\n", "kind"),
        ("mass,kind,size\n1.5,red,-2\n3,blue,0.4\n-0.25,red,7\n", "2"),
        ("1.5,red,-2\n3,blue,0.4\n-0.25,red,7\n", "2"),
        // An index as pandas writes it.
        (",kind,mass,size\n0,red,1.5,-2\n1,blue,3,0.4\n2,red,-0.25,7\n", "kind"),
    ] {
        same(text, Some(label));
    }
    // Columns whose names are numbers.
    let numbered = same("0,1,kind\n1.5,-2,red\n3,0.4,blue\n-0.25,7,red\n", Some("kind"));
    assert_eq!(numbered.inputs, ["0", "1"]);
    let numbered = parse("0,1,label\n1.5,-2,1\n3,0.4,0\n");
    assert_eq!((numbered.classes, numbered.label), (vec!["0".into(), "1".into()], "label".into()));
    // A name may hold what separates the columns.
    let quoted = parse("\"mass, in g\",\"a \"\"size\"\"\",kind\n1,2,a\n3,4,b\n");
    assert_eq!(quoted.inputs, ["mass, in g", "a \"size\""]);
}

#[test]
fn labels_that_are_numbers_are_in_their_order() {
    let classes = |text: &str| parse(text).classes;
    assert_eq!(classes("0.5,10\n0.5,9\n0.5,-1\n0.5,9\n"), ["-1", "9", "10"]);
    assert_eq!(classes("0.5,b10\n0.5,b9\n0.5,a\n"), ["a", "b10", "b9"]);
    let table = parse("0.5,1\n0.5,1.0\n0.5,0\n0.5,-0\n");
    assert_eq!((table.classes.len(), &table.class[..]), (2, &[1, 1, 0, 0][..]));
    // Labels may be anything.
    let table = parse("0.5;1,0\n0.5;true\n0.5;été rouge\n");
    assert_eq!(table.classes, ["1,0", "true", "été rouge"]);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let many: String = (0..200).map(|i| format!("{i},{i}.5\n")).collect();
    for (text, words) in [
        ("", "no rows"),
        ("\n\n  \n", "no rows"),
        ("x,y,kind\n", "a header and no rows"),
        ("x,y,kind\n1,2,a\n1,oops,b\n", "line 3, column 2 (y): 'oops' is not a number; allowed"),
        ("1,2,a\n\n1,1O,b\n", "line 3, column 2: '1O' is not a number"),
        ("abc,2,a\n1,2,b\n", "line 1, column 1: 'abc' is not a number (a first row without"),
        ("x,y,kind\n1,,a\n", "line 2, column 2 (y): '' is empty; allowed: a number"),
        ("1,nan,a\n", "line 1, column 2: 'nan' is not finite; allowed: finite numbers"),
        ("x,kind\n1,a\n-inf,b\n", "line 3, column 1 (x): '-inf' is not finite"),
        ("x,kind\n1,a\n1e999,b\n", "line 3, column 1 (x): '1e999' is not finite"),
        ("x,kind\n1,a\n2, \n", "line 3, column 2 (kind): the label is empty"),
        ("x,y,kind\n1,2,a\n3,b\n", "line 3: 2 fields; allowed: 3, as the header in line 1 has"),
        ("1,2,a\n1,2,3,b\n", "line 2: 4 fields; allowed: 3, as the first row in line 1 has"),
        ("1,2,a\n1\n", "line 2: 1 field; allowed: 3"),
        ("x,kind\n1,a\n2,a\n", "one class, 'a', in all 2 rows of column 2 (kind); allowed: two"),
        ("1\n2\n3\n", "one column, '1'; allowed: one or more inputs and a label"),
        ("x y kind\n1 2 a\n", "one column, 'x y kind'"),
        (&many, "200 different labels in 200 rows of column 2; allowed: at most 100 classes"),
        (
            "1,5;2;a\n1.5;2;b\n",
            "decimal commas and decimal points: a comma in line 1, column 1, a point in line 2",
        ),
        ("1,234.5;2;a\n", "line 1, column 1: '1,234.5' is not a number"),
        ("1,2,\"a\n3,4,b\n", "line 1: a field goes over several lines; is a quotation mark"),
        ("1,\"2,3\",a\n", "line 1, column 2: '2,3' is not a number"),
    ] {
        let (found, usage) = refused(text.as_bytes(), None);
        assert!(found.starts_with(words) && !usage, "{found} of {text:?}");
    }
    for (bytes, words) in [
        (&b"1,2,a\n1,\xe9,b\n"[..], "line 2: the byte 0xe9 is no text in UTF-8"),
        (b"\xff\xfe1\0,\0", "text in UTF-16; allowed: UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1: the byte 0x89 is no text"),
        (b"1,2\n\0\0,a\n", "line 2: a byte 0"),
    ] {
        let (found, _) = refused(bytes, None);
        assert!(found.starts_with(words), "{found}");
    }
    for (text, label, words) in [
        ("x,y,kind\n1,2,a\n", "sort", "no column 'sort'; the columns are x, y, kind"),
        ("x,y,kind\n1,2,a\n", "4", "no column '4'; the columns are x, y, kind"),
        (
            "1,2,a\n",
            "kind",
            "no column 'kind': the file has no header; allowed: a column's number, 1 to 3",
        ),
        ("1,2,a\n", "0", "no column '0'"),
        ("x,x,kind\n1,2,a\n", "x", "2 columns 'x'; allowed"),
    ] {
        let (found, usage) = refused(text.as_bytes(), Some(label));
        assert!(found.starts_with(words) && usage, "{found}");
    }
}

/// Files cut and changed anywhere: a table or a refusal, never a panic.
#[test]
fn changed_files_are_tables_or_refused() {
    let path = format!("{}/tests/files/kinds.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let whole: String = text.split_inclusive('\n').take(8).collect();
    let whole = whole.as_bytes();
    let (mut tables, mut refused) = (0, 0);
    let mut count = |bytes: &[u8]| match table::parse(bytes, Some("kind")) {
        Ok(table) => {
            assert_eq!(table.x.len(), table.class.len() * table.inputs.len());
            assert!(table.x.iter().all(|x| x.is_finite()));
            assert!(table.class.iter().all(|class| *class < table.classes.len()));
            tables += 1;
        }
        Err(_) => refused += 1,
    };
    for at in 0..whole.len() {
        count(&whole[..at]);
        for byte in [b'"', b'\n', b';', b'.', b'-', b'e', b'\r', 0, 0xff] {
            let mut changed = whole.to_vec();
            changed[at] = byte;
            count(&changed);
        }
    }
    assert!(tables > 200 && refused > 200, "{tables} {refused}");
}

fn points(text: &str) -> Points {
    Points::of_table("test".into(), parse(text))
}

#[test]
fn a_split_holds_out_a_share_of_each_class() {
    let text: String =
        (0..100).map(|i| format!("{i}.5,{}\n", if i < 90 { "a" } else { "b" })).collect();
    let points = points(&text);
    let [train, held] = points.split(0.2, 7).unwrap();
    let of =
        |rows: &[usize], class: usize| rows.iter().filter(|r| points.class[**r] == class).count();
    assert_eq!((of(&train, 0), of(&held, 0), of(&train, 1), of(&held, 1)), (72, 18, 8, 2));
    let mut all = [train.clone(), held.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert!(train.is_sorted() && held.is_sorted());
    // A seed's rows are the same in every version.
    assert_eq!(points.split(0.2, 7).unwrap(), [train, held.clone()]);
    assert_ne!(points.split(0.2, 8).unwrap()[1], held);
    // The training keeps a row of every class.
    let [train, _] = points.split(0.99, 0).unwrap();
    assert_eq!((of(&train, 0), of(&train, 1)), (1, 1));
    assert!(
        matches!(points.split(0.001, 0), Err(Stop::Usage(text)) if text.starts_with("--test 0.001"))
    );
}

#[test]
fn scaled_columns_have_a_mean_of_0_and_a_deviation_of_1() {
    // Numbers whose squares are no numbers, tiny ones, large ones that differ little, all alike.
    let x: Vec<f64> = (0..40)
        .flat_map(|i| {
            let i = f64::from(i);
            [1e300 * (i - 3.0), 1e-300 * i, 1e6 + i, 7.25]
        })
        .collect();
    let rows: Vec<usize> = (0..20).collect();
    let scaling = Scaling::of(&x, 4, &rows);
    let scaled = scaling.scaled(&x);
    assert_eq!(scaled.len(), x.len());
    for column in 0..4 {
        let values: Vec<f64> = rows.iter().map(|row| f64::from(scaled[4 * row + column])).collect();
        let mean = values.iter().sum::<f64>() / 20.0;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 20.0).sqrt();
        assert!(mean.abs() <= 1e-6, "column {column}: {mean}");
        let expected = if column == 3 { 0.0 } else { 1.0 };
        assert!((deviation - expected).abs() <= 1e-6, "column {column}: {deviation}");
    }
}

/// Folded parameters say of the columns as they are what the others say of scaled ones; back again they
/// are what they were.
#[test]
fn saved_parameters_take_the_columns_as_they_are() {
    let x = [1200.0, 0.05, 900.0, 0.02, 1500.0, 0.09, 1100.0, 0.04];
    let scaling = Scaling::of(&x, 2, &[0, 1, 2, 3]);
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(3, Activation::Identity);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
    let data = Data::new(2, 3, vec![0.0; 2], vec![1.0, 0.0, 0.0]).unwrap();
    let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let own = Init::StandardNormal.sample(&mlp, 1, 3).unwrap();
    trainer.restart(&own).unwrap();
    let expected = trainer.predict(&scaling.scaled(&x)).unwrap();
    let folded = scaling.folded(&own).unwrap();
    trainer.restart(&folded).unwrap();
    let found = trainer.predict(&x.map(|x| x as f32)).unwrap();
    for (f, e) in found.iter().zip(&expected) {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(1.0), "{f} for {e}");
    }
    for (f, e) in scaling.unfolded(&folded).unwrap().values().iter().zip(own.values()) {
        assert!((f - e).abs() <= 1e-5 * e.abs().max(1.0), "{f} for {e}");
    }
}

#[test]
fn targets_are_one_number_or_one_a_class() {
    let two = points("1.5,a\n2.5,b\n");
    let data = two.data(&[1, 0], &Scaling::none(1)).unwrap();
    assert_eq!((data.x(), data.t()), (&[2.5, 1.5][..], &[1.0, 0.0][..]));
    let three = points("1.5,a\n2.5,b\n3.5,c\n");
    let data = three.data(&[2, 0], &Scaling::none(1)).unwrap();
    assert_eq!((data.x(), data.t()), (&[3.5, 1.5][..], &[0.0, 0.0, 1.0, 1.0, 0.0, 0.0][..]));
    assert_eq!(three.goal(), (Activation::Identity, Loss::SoftmaxCrossEntropy));
    assert_eq!(two.goal(), (Activation::Sigmoid, Loss::BinaryCrossEntropy));
}

#[test]
fn rows_are_counted_by_class_and_by_what_they_are_taken_for() {
    let found = probabilities(&[1.0, 3.0, 2.0, 80.0, -90.0, 79.0, 0.0, 0.0, 5.0], 3);
    for row in found.chunks(3) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() <= 1e-6, "{row:?}");
    }
    assert_eq!(confusion(&found, &[1, 2, 2], 3), [[0, 0, 0], [0, 1, 0], [1, 0, 1]]);
    let found = probabilities(&[0.2, 0.9, 0.5], 1);
    assert_eq!(confusion(&found, &[0, 0, 1], 2), [[1, 1], [1, 0]]);
    let lines = report::table(&["a", "a class of a long name"], &[vec![12, 3], vec![4, 12_345]]);
    let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{lines:?}");
    assert_eq!(lines[2].split_whitespace().last(), Some("12345"));
}
