use super::*;

fn line(values: &[(f64, f64)], axes: [bool; 2]) -> Result<Picture> {
    curve("Title", ["x", "y"], &[Series { label: "a", values }], axes)
}

fn count(picture: &Picture, colour: [u8; 3]) -> usize {
    picture.0.pixels().filter(|pixel| pixel.0 == colour).count()
}

/// The outermost pixels are white: nothing is cut off.
fn assert_margin(picture: &Picture) {
    let (width, height) = picture.0.dimensions();
    let is_edge = |x, y| x < 3 || y < 3 || x + 3 >= width || y + 3 >= height;
    let mut pixels = picture.0.enumerate_pixels();
    assert!(pixels.all(|(x, y, pixel)| !is_edge(x, y) || pixel.0 == [255; 3]));
}

const FIRST: [u8; 3] = [0x1f, 0x77, 0xb4];

#[test]
fn every_chart_is_drawn_inside_its_margin() {
    let long = "a name that is rather long for its place";
    let xy = [-0.5, 0.2, 0.4, 0.9];
    let data = Points { xy: &xy, class: &[0.0, 1.0] };
    assert_margin(&points("", &data).unwrap());
    let map = Map { values: &[0.0, 0.2, 0.7, 1.0], axis: (-1.0, 1.0) };
    assert_margin(&probability_map("Map", &map, None).unwrap());
    assert_margin(&probability_map("Map", &map, Some(&data)).unwrap());
    let values = [(1.0, 1e-4), (10.0, 1e3), (30.0, f64::NAN), (1e5, 2.0)];
    let series = [long; 3].map(|label| Series { label, values: &values });
    assert_margin(&curve("Curve", ["x", "y"], &series, [true; 2]).unwrap());
    let bar = Bars { label: "CPU", values: &[[1.0, 2.0, 3.0]; 6] };
    assert_margin(&bars("Bars", "µs", &["two\nlines"; 6], &[bar, bar]).unwrap());
    let marks = [(0.2, "best"), (0.21, long)];
    assert_margin(&histogram("Histogram", ["x", "y"], &[0.1, 0.5], 50, &marks).unwrap());
}

#[test]
fn classes_have_their_colours_and_axes_their_units() {
    let names = |classes| ClassNames { classes, axes: ["mass", "height"], rings: "held out" };
    let xy = [-5.0, 1000.0, 4.0, 9000.0, 0.0, 5000.0];
    let points = ClassPoints { xy: &xy, class: &[0, 1, 2], rings: &[1] };
    let three = ["red", "a class of a long name", "blue"];
    let drawn = class_points("Points", &names(&three), &points).unwrap();
    assert_margin(&drawn);
    // A map of three corners that are sure, and one where all are alike.
    let sure = |class: usize| [0, 1, 2].map(|c| if c == class { 1.0 } else { 0.0 });
    let values = [sure(0), sure(1), sure(2), [1.0 / 3.0; 3]].concat();
    let map = ClassMap { values: &values, axes: [(-6.0, 6.0), (0.0, 1e4)] };
    assert_margin(&class_map("Map", &names(&three), &map, Some(&points)).unwrap());
    let bare = class_map("", &names(&three), &map, None).unwrap();
    let of = |colour: [u8; 3]| colour.map(|c| (f64::from(c) * 0.6 + 255.0 * 0.4).round() as u8);
    let at = |colour: [u8; 3]| {
        let found = bare.0.enumerate_pixels().filter(|p| p.2.0 == colour);
        let (mut count, mut x, mut y) = (0, 0.0, 0.0);
        for (px, py, _) in found {
            (count, x, y) = (count + 1, x + f64::from(px), y + f64::from(py));
        }
        (count, x / f64::from(count), y / f64::from(count))
    };
    let [first, second, third] =
        [[0x1f, 0x77, 0xb4], [0xff, 0x7f, 0x0e], [0x2c, 0xa0, 0x2c]].map(|c| at(of(c)));
    assert!(first.0 > 50_000 && (f64::from(first.0) / f64::from(third.0) - 1.0).abs() < 0.1);
    // The first row is the lowest, the first column the leftmost.
    assert!(
        first.1 < second.1 - 100.0 && (first.2 - second.2).abs() < 10.0,
        "{first:?} {second:?}"
    );
    assert!(third.2 < first.2 - 100.0 && (first.1 - third.1).abs() < 10.0, "{first:?} {third:?}");
    for (points, words) in [
        (ClassPoints { class: &[0, 1, 3], ..points }, "classes of points: 3"),
        (ClassPoints { rings: &[3], ..points }, "rings: point 3 of 3"),
        (ClassPoints { class: &[0], ..points }, "coordinates of points"),
    ] {
        let error = class_points("", &names(&three), &points).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
    for (values, axes, classes) in [
        (&values[..9], map.axes, &three[..]),
        (&values, [(1.0, 1.0), (0.0, 1.0)], &three),
        (&values, map.axes, &three[..1]),
        (&[f32::NAN; 12], map.axes, &three),
    ] {
        assert!(class_map("", &names(classes), &ClassMap { values, axes }, None).is_err());
    }
}

#[test]
fn extreme_values_get_an_axis() {
    let most = [-1e100, 0.0, 1e-310, 1.0, 1.0 + 1e-12, 1e100];
    for (a, b) in most.into_iter().flat_map(|a| most.map(|b| (a, b))) {
        line(&[(a, b), (b, a)], [false; 2]).unwrap();
        assert_eq!(line(&[(a, b)], [true; 2]).is_ok(), a > 0.0 && b > 0.0);
    }
}

#[test]
fn labels_are_short() {
    let label = |low, high, is_log, at: f64| Axis::new(low, high, is_log).label(at);
    assert_eq!(label(-1.1, 1.1, false, -0.5), "−0.5");
    assert_eq!(label(0.0, 2000.0, false, 500.0), "500");
    assert_eq!(label(0.68, 0.695, false, 0.682), "0.682");
    assert_eq!(label(-5.0, 3.0, true, -2.0), "0.01");
    assert_eq!(label(-5.0, 3.0, true, -12.0), "1e−12");
}

#[test]
fn the_first_row_of_a_map_is_the_lowest() {
    let map = Map { values: &[0.0, 1.0, 1.0, 1.0], axis: (-1.0, 1.0) };
    let picture = probability_map("", &map, None).unwrap();
    let blue: Vec<_> = picture.0.enumerate_pixels().filter(|p| p.2.0 == [59, 76, 192]).collect();
    // A quarter of the square, and some of the colour bar.
    assert!((87_000..93_000).contains(&blue.len()));
    assert!(blue.iter().all(|(_, y, _)| *y > 300));
}

#[test]
fn a_histogram_counts() {
    let picture = histogram("", ["", ""], &[0.0, 0.1, 0.2, 1.0], 2, &[]).unwrap();
    let middle = 650;
    let [mut left, mut right] = [0; 2];
    for (x, _, pixel) in picture.0.enumerate_pixels() {
        *if x < middle { &mut left } else { &mut right } += u32::from(pixel.0 == FIRST);
    }
    let ratio = f64::from(left) / f64::from(right);
    assert!((2.8..3.2).contains(&ratio), "{ratio}");
}

#[test]
fn a_gap_interrupts_a_curve() {
    let drawn = |y| count(&line(&[(0.0, 1.0), (1.0, y), (2.0, 1.0)], [false; 2]).unwrap(), FIRST);
    assert!(drawn(f64::NAN) * 4 < drawn(1.0));
}

#[test]
fn bad_input_is_an_error() {
    let text = |result: Result<Picture>| result.unwrap_err().to_string();
    assert!(text(line(&[], [false; 2])).contains("nothing to draw"));
    assert!(text(line(&[(0.0, 1.0)], [true, false])).contains("value 0 is 0"));
    let data = Points { xy: &[1.0, f32::NAN], class: &[1.0] };
    assert!(text(points("", &data)).contains("value 1 is NaN"));
    let map = |values, axis| probability_map("", &Map { values, axis }, None);
    assert!(text(map(&[0.0; 6], (0.0, 1.0))).contains("expected 4 values, found 6"));
    assert!(text(map(&[0.0; 4], (1.0, 1.0))).contains("does not lie below"));
    let bar = Bars { label: "CPU", values: &[[1.0; 3]] };
    assert!(text(bars("", "", &["a", "b"], &[bar])).contains("CPU: expected 2"));
    assert!(text(histogram("", ["", ""], &[1.0], 0, &[])).contains("not 0"));
    assert!(titled("", 2, &[0; 7]).is_err() && titled("", 0, &[]).is_err());
    assert!(side_by_side(&[]).is_err() && stacked(&[]).is_err());
}

#[test]
fn pictures_stand_together() {
    let flat =
        |width, height, value| Picture(RgbImage::from_pixel(width, height, image::Rgb([value; 3])));
    let both = side_by_side(&[flat(2, 3, 10), flat(1, 1, 20)]).unwrap();
    assert_eq!(both.0.as_raw()[6..9], [255; 3]);
    assert_eq!(both.0.as_raw()[15..18], [20; 3]);
    let both = stacked(&[flat(3, 1, 10), flat(1, 1, 20)]).unwrap();
    assert_eq!(both.0.as_raw()[9..], [255, 255, 255, 20, 20, 20, 255, 255, 255]);
    let framed = titled("a title that is far too long for it", 2, &[7; 12]).unwrap();
    assert_eq!((framed.0.dimensions(), count(&framed, [7; 3])), ((18, 50), 4));
}

#[test]
fn a_picture_is_saved_with_its_folder() {
    let folder = std::env::temp_dir().join(format!("wgrad-plot-{}", std::process::id()));
    let picture = line(&[(0.0, 1.0), (1.0, 0.5)], [false; 2]).unwrap();
    picture.save(folder.join("new/curve.png")).unwrap();
    assert_eq!(image::open(folder.join("new/curve.png")).unwrap().into_rgb8(), picture.0);
    assert!(picture.save(folder.join("new/curve.png/x.png")).is_err());
    std::fs::remove_dir_all(&folder).unwrap();
}
