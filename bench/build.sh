#!/bin/sh
# What depending on the crate costs: crates, time of a clean build, size of a stripped program.
#   sh bench/build.sh
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
export CARGO_TARGET_DIR="$folder"

count() { cargo tree --edges normal --prefix none "$@" | sed 's/ (\*)$//' | sort -u | wc -l | tr -d ' '; }
seconds() { date +%s; }

echo "crates without default features: $(count --no-default-features)"
echo "crates with the GPU back ends: $(count --no-default-features --features backends)"
echo "crates with all default features: $(count)"

# What an application on wgpu gains by depending on the crate.
here=$(pwd)
app() { # name, more dependencies, more code
    mkdir -p "$folder/$1/src"
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n[dependencies]\npollster = "1"\nwgpu = { version = "30", default-features = false, features = ["std", "wgsl", "vulkan", "parking_lot"] }\n%s\n[profile.release]\nstrip = "symbols"\n[workspace]\n' "$1" "$2" >"$folder/$1/Cargo.toml"
    cat >"$folder/$1/src/main.rs" <<EOF
fn main() {
    let adapter = pollster::block_on(wgpu::Instance::default().request_adapter(&Default::default())).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let _ = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl("fn f() {}".into()) });
    $3
    queue.submit([device.create_command_encoder(&Default::default()).finish()]);
}
EOF
    (cd "$folder/$1" && cargo build --release --quiet && cargo tree --edges normal --prefix none | sed 's/ (\*)$//' | grep -v "^$1 " | sort -u >"$folder/$1.crates")
}
app bare "" ""
app with "wgrad = { path = \"$here\", default-features = false }" '
    use wgrad::{Activation, Dataset, Gpu, Loss, Mlp, Optimizer, Trainer, Training};
    let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01));
    let data = Dataset::Circles.sample(100, 0).unwrap();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let mut encoder = device.create_command_encoder(&Default::default());
    trainer.record(&mut encoder, 10);
    println!("{}", trainer.wgsl("net").text().unwrap());
    queue.submit([encoder.finish()]);'
echo "crates that a wgpu application gains: $(comm -13 "$folder/bare.crates" "$folder/with.crates" | wc -l | tr -d ' ')"
comm -13 "$folder/bare.crates" "$folder/with.crates" | sed 's/^/    /; s/ (.*//'
bare=$(wc -c <"$folder/release/bare") with=$(wc -c <"$folder/release/with")
echo "bytes that its stripped binary gains: $((with - bare)) ($bare to $with)"
rm -rf "$folder/release"

cargo fetch --quiet
start=$(seconds)
cargo build --release --quiet --no-default-features --lib
echo "clean release build without default features: $(($(seconds) - start)) s on $(getconf _NPROCESSORS_ONLN) cores"
cargo rustc --release --quiet --no-default-features --features backends --example self_check -- -C strip=symbols
echo "the example self_check, back ends only, stripped: $(wc -c <"$folder/release/examples/self_check" | tr -d ' ') bytes"
