//! Curves as an SVG: panels side by side, both axes logarithmic.

use super::report::grouped;

/// A curve: its name, and its points.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// Curves over the same thing.
pub(super) struct Panel {
    /// The thing that grows.
    pub(super) over: String,
    pub(super) curves: Vec<Curve>,
}

// Pixels.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// For the half of a number that hangs over the last panel.
const EDGE: f64 = 24.0;
/// A line of the legend.
const LINE: f64 = 16.0;
/// Panels in a row.
const ACROSS: usize = 2;

/// Told apart by people who see few colours, too (Okabe and Ito's), and on white and black alike.
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];

/// The whole picture.
pub(super) fn svg(title: &str, panels: &[Panel]) -> String {
    let most = panels.iter().map(|panel| panel.curves.len()).max();
    let height = HEIGHT + LINE * most.unwrap_or(0) as f64;
    let rows = panels.len().div_ceil(ACROSS);
    let (wide, high) = (WIDTH * ACROSS as f64 + EDGE, height * rows as f64 + TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" \
         height=\"{high}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{}\" y=\"22\" font-size=\"15\" text-anchor=\"middle\">{title}</text>\n",
        wide / 2.0,
        title = escaped(title),
    );
    for (number, panel) in panels.iter().enumerate() {
        let x = WIDTH * (number % ACROSS) as f64;
        let y = TOP + height * (number / ACROSS) as f64;
        svg += &format!(
            "<g transform=\"translate({x} {y})\">\n{}</g>\n",
            drawn(panel)
        );
    }
    svg + "</svg>\n"
}

/// A range of whole powers of ten, and the pixels that it takes.
struct Axis {
    from: i32,
    to: i32,
    pixels: [f64; 2],
}

impl Axis {
    fn over(numbers: impl Iterator<Item = f64>, pixels: [f64; 2]) -> Self {
        let logs = numbers.map(|number| number.max(1.0).log10());
        let (least, most) = logs.fold((f64::MAX, f64::MIN), |(least, most), log| {
            (least.min(log), most.max(log))
        });
        let from = least.floor() as i32;
        Self {
            from,
            to: (most.ceil() as i32).max(from + 1),
            pixels,
        }
    }

    fn place(&self, number: f64) -> f64 {
        let part =
            (number.max(1.0).log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        let [start, end] = self.pixels;
        start + part * (end - start)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.from..=self.to).map(|power| 10_f64.powi(power))
    }
}

fn drawn(panel: &Panel) -> String {
    let points = || panel.curves.iter().flat_map(|curve| curve.points.iter());
    if points().next().is_none() {
        return String::new();
    }
    let x = Axis::over(points().map(|(x, _)| *x), [LEFT, WIDTH - RIGHT]);
    let y = Axis::over(points().map(|(_, y)| *y), [HEIGHT - BOTTOM, TOP / 2.0]);
    let mut svg = String::new();
    for tick in x.ticks() {
        let at = x.place(tick);
        svg += &format!(
            "<path d=\"M{at:.1} {}V{}\" stroke=\"#ddd\"/>\
             <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            TOP / 2.0,
            HEIGHT - BOTTOM,
            HEIGHT - BOTTOM + 15.0,
            grouped(tick),
        );
    }
    for tick in y.ticks() {
        let at = y.place(tick);
        svg += &format!(
            "<path d=\"M{LEFT} {at:.1}H{}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            WIDTH - RIGHT,
            LEFT - 6.0,
            at + 4.0,
            grouped(tick),
        );
    }
    svg += &format!(
        "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - BOTTOM + 32.0,
        escaped(&panel.over),
    );
    for (number, curve) in panel.curves.iter().enumerate() {
        svg += &line(curve, &x, &y, COLOURS[number % COLOURS.len()]);
        svg += &legend(curve, number);
    }
    svg
}

fn line(curve: &Curve, x: &Axis, y: &Axis, colour: &str) -> String {
    let places = curve.points.iter();
    let places = places.map(|(of_x, of_y)| (x.place(*of_x), y.place(*of_y)));
    let text: Vec<String> = places
        .clone()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let dots: String = places
        .map(|(x, y)| format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"))
        .collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>{dots}\n",
        text.join(" "),
    )
}

fn legend(curve: &Curve, number: usize) -> String {
    let y = HEIGHT + LINE * number as f64;
    format!(
        "<path d=\"M{LEFT} {y}h18\" stroke=\"{}\" stroke-width=\"2\"/>\
         <text x=\"{}\" y=\"{}\">{}</text>\n",
        COLOURS[number % COLOURS.len()],
        LEFT + 24.0,
        y + 4.0,
        escaped(&curve.name),
    )
}

/// Text between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_whole_powers_of_ten() {
        let axis = Axis::over([20.0, 3_000.0].into_iter(), [0.0, 300.0]);
        assert_eq!((axis.from, axis.to), (1, 4));
        assert_eq!(axis.place(10.0), 0.0);
        assert_eq!(axis.place(10_000.0), 300.0);
        assert_eq!(axis.place(100.0), 100.0);
    }

    #[test]
    fn one_point_has_an_axis_too() {
        let axis = Axis::over([1.0].into_iter(), [0.0, 100.0]);
        assert_eq!((axis.from, axis.to), (0, 1));
    }

    #[test]
    fn a_picture_has_each_curve_and_its_name() {
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: vec![(10.0, 100.0), (100.0, 1_000.0)],
        };
        let panel = Panel {
            over: "people".to_owned(),
            curves: vec![curve("a <b>"), curve("c")],
        };
        let svg = svg("Costs & growth", &[panel]);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("a &lt;b&gt;") && svg.contains("Costs &amp; growth"));
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
    }
}
