// ln(1 + u) for u in 0 to 1: the series of 2 artanh(u / (2 + u)), whose argument is at most ⅓.
// log(1 + u) would leave nothing of a small u.
fn log_one_plus(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let q = s * s;
    let tail = 0.14285714 + q * (0.11111111 + q * (0.09090909 + q * 0.07692308));
    return 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * tail)));
}
