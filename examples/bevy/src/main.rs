//! A landscape that is learnt while Bevy draws it: a network is trained in the render world on
//! Bevy's own device, and a material's vertex shader evaluates it as a height map, its fragment
//! shader takes the normals from its gradient.
//!
//! `--frames N --out DIR` draws N frames without a window and leaves pictures in DIR.

use bevy::app::ScheduleRunnerPlugin;
use bevy::asset::uuid_handle;
use bevy::camera::RenderTarget;
use bevy::camera::visibility::NoFrustumCulling;
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::light::NotShadowCaster;
use bevy::prelude::*;
use bevy::reflect::TypePath;
use bevy::render::render_resource::{AsBindGroup, Buffer, TextureFormat};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::view::screenshot::{Screenshot, save_to_disk};
use bevy::render::{Render, RenderApp, RenderSystems};
use bevy::shader::ShaderRef;
use bevy::window::ExitCondition;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wgrad::{
    Activation, Batch, Data, FrameBudget, Gpu, Init, Loss, Mlp, Optimizer, Trainer, Training,
};

/// Inputs of the network for one unit of the landscape: the faster they vary, the finer its detail.
const SCALE: f32 = 4.0;

const SHADER: Handle<Shader> = uuid_handle!("2d8f1c1e-6c0f-4a53-9d0c-6a2f7b5e9c11");

/// A material that draws whatever the network has learnt: its parameters' buffer, live.
#[derive(Asset, AsBindGroup, TypePath, Clone)]
struct Landscape {
    #[storage(0, read_only, buffer, visibility(vertex, fragment))]
    parameters: Buffer,
}

impl Material for Landscape {
    fn vertex_shader() -> ShaderRef {
        SHADER.into()
    }

    fn fragment_shader() -> ShaderRef {
        SHADER.into()
    }
}

/// What the render world trains; made once the device is there.
#[derive(Resource, Clone, Default)]
struct Learner(Arc<Mutex<Option<(Trainer, FrameBudget)>>>);

/// Frames to draw without a window, and where to.
#[derive(Resource, Clone)]
struct Headless {
    frames: u32,
    out: PathBuf,
}

fn main() -> AppExit {
    let mut headless = Headless { frames: 0, out: "out".into() };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next();
        match (name.as_str(), value) {
            ("--frames", Some(value)) => headless.frames = value.parse().unwrap_or(0),
            ("--out", Some(value)) => headless.out = value.into(),
            _ => {
                eprintln!("usage: wgrad-bevy [--frames N] [--out DIR]");
                return AppExit::error();
            }
        }
    }
    let mut app = App::new();
    if headless.frames > 0 {
        app.add_plugins(
            DefaultPlugins
                .set(WindowPlugin {
                    primary_window: None,
                    exit_condition: ExitCondition::DontExit,
                    ..default()
                })
                .disable::<bevy::winit::WinitPlugin>(),
        )
        .add_plugins(ScheduleRunnerPlugin::run_loop(Duration::from_millis(16)))
        .insert_resource(headless)
        .add_systems(Update, film);
    } else {
        app.add_plugins(DefaultPlugins);
    }
    let learner = Learner::default();
    app.add_plugins(MaterialPlugin::<Landscape>::default())
        .insert_resource(ClearColor(Color::srgb(0.72, 0.82, 0.93)))
        .insert_resource(learner.clone())
        .add_systems(Startup, setup)
        .add_systems(Update, turn);
    app.sub_app_mut(RenderApp)
        .insert_resource(learner)
        .add_systems(Render, train.in_set(RenderSystems::PrepareResources));
    app.run()
}

/// The landscape to be learnt, on ±1.
fn height(x: f32, z: f32) -> f32 {
    let hill = |cx: f32, cz: f32, r: f32| (-((x - cx).powi(2) + (z - cz).powi(2)) / (r * r)).exp();
    let waves = 0.05 * (7.0 * x + 2.0 * (3.0 * z).sin()).sin();
    0.55 * hill(-0.35, -0.3, 0.35) + 0.4 * hill(0.45, 0.25, 0.25) - 0.3 * hill(0.35, -0.5, 0.3)
        + waves
}

fn learner(gpu: &Gpu, film: bool) -> wgrad::Result<(Trainer, FrameBudget)> {
    let side = 64;
    let at = |i: usize| 2.0 * (i as f32 + 0.5) / side as f32 - 1.0;
    let points = (0..side * side).map(|i| [at(i % side), at(i / side)]);
    let x = points.clone().flat_map(|[x, z]| [SCALE * x, SCALE * z]).collect();
    let t = points.map(|[x, z]| height(x, z)).collect();
    let mlp = Mlp::new(2)
        .layer(32, Activation::Sine)
        .layer(32, Activation::Sine)
        .layer(1, Activation::Identity);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(2e-3))
        .batch(Batch::Shuffled { size: 512, seed: 1 })
        .init(Init::Auto)
        .seed(1);
    let mut trainer = Trainer::new(gpu, &mlp, &training, &Data::new(2, 1, x, t)?)?;
    trainer.warm_up()?;
    // A film has the time that it takes; a window shows how it is learnt.
    let (time, most) = if film { (200, 40) } else { (2, 8) };
    let mut budget = FrameBudget::new(gpu, Duration::from_millis(time))?;
    budget.set_max_steps(most);
    Ok((trainer, budget))
}

fn setup(
    mut commands: Commands,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    shared: Res<Learner>,
    mut shaders: ResMut<Assets<Shader>>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<Landscape>>,
    mut images: ResMut<Assets<Image>>,
    headless: Option<Res<Headless>>,
) -> Result {
    let gpu = Gpu::from_wgpu(device.wgpu_device(), &queue)?;
    let (trainer, budget) = learner(&gpu, headless.is_some())?;
    // Group 3 is the material's.
    let network = trainer.wgsl("height").binding(3, 0).gradient().text()?;
    let text = format!("{}\n{network}", include_str!("landscape.wesl"));
    shaders.insert(&SHADER, Shader::from_wesl(text, "landscape.wesl"))?;
    let parameters = Buffer::from(trainer.parameter_buffer().clone());
    *shared.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((trainer, budget));
    commands.spawn((
        Mesh3d(meshes.add(Plane3d::default().mesh().size(2.0, 2.0).subdivisions(95))),
        MeshMaterial3d(materials.add(Landscape { parameters })),
        NoFrustumCulling,
        NotShadowCaster,
    ));
    let mut camera = commands.spawn((
        Camera3d::default(),
        Tonemapping::None,
        Msaa::Sample4,
        Transform::from_xyz(0.0, 1.3, 2.1).looking_at(Vec3::ZERO, Vec3::Y),
    ));
    if headless.is_some() {
        let image = Image::new_target_texture(640, 400, TextureFormat::Rgba8UnormSrgb, None);
        camera.insert(RenderTarget::Image(images.add(image).into()));
    }
    Ok(())
}

/// In the render world: this frame's steps, on Bevy's device, before Bevy's own passes.
fn train(shared: Res<Learner>, device: Res<RenderDevice>, queue: Res<RenderQueue>) {
    let mut learner = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((trainer, budget)) = learner.as_mut() {
        let mut encoder = device.create_command_encoder(&Default::default());
        if let Err(error) = budget.record(trainer, &mut encoder) {
            error!("{error}");
        }
        queue.submit([encoder.finish()]);
    }
}

fn turn(
    time: Res<Time>,
    headless: Option<Res<Headless>>,
    mut frame: Local<u32>,
    mut camera: Query<&mut Transform, With<Camera3d>>,
) {
    *frame += 1;
    let seconds = if headless.is_some() { *frame as f32 / 30.0 } else { time.elapsed_secs() };
    for mut camera in &mut camera {
        let angle = 0.25 * seconds;
        *camera = Transform::from_xyz(2.1 * angle.sin(), 1.3, 2.1 * angle.cos())
            .looking_at(Vec3::new(0.0, 0.05, 0.0), Vec3::Y);
    }
}

/// Without a window: pictures of some of the frames, then the end.
fn film(
    mut commands: Commands,
    mut frame: Local<u32>,
    headless: Res<Headless>,
    camera: Query<&RenderTarget, With<Camera3d>>,
    mut exit: MessageWriter<AppExit>,
) {
    *frame += 1;
    let every = (headless.frames / 3).max(1);
    if let Ok(RenderTarget::Image(image)) = camera.single()
        && (*frame % every == 0 || *frame == 5)
        && *frame <= headless.frames
    {
        let path = headless.out.join(format!("landscape_{:04}.png", *frame));
        commands.spawn(Screenshot::image(image.handle.clone())).observe(save_to_disk(path));
    }
    // Some more frames, until the last picture has come back.
    if *frame == headless.frames + 30 {
        exit.write(AppExit::Success);
    }
}
