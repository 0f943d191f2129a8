// sin z; its derivative is cos z, from the input.
fn sine_value(z: f32) -> f32 {
    return sine_of_quarter_turns(z, 0);
}

fn sine_derivative(saved: f32) -> f32 {
    return sine_of_quarter_turns(saved, 1);
}

// −sin z, from the input.
fn sine_second_derivative(saved: f32) -> f32 {
    return sine_of_quarter_turns(saved, 2);
}
