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
