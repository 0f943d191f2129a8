//! A network that learns in an egui window, on egui's own device: its steps are recorded into
//! egui's encoder, and two paint callbacks draw the probability map and the loss curve from the
//! trainer's buffers, with no copy to the CPU.

use eframe::egui::{self, ComboBox, DragValue, Rect, Sense, Slider, vec2};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor, WgpuSetup};
use eframe::wgpu;
use std::sync::Arc;
use std::time::Duration;
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Dataset, Error, FrameBudget, FrameReport, Gpu, Init, Loss, Mlp, Optimizer, Trainer,
    Training,
};

/// Training points.
const POINTS: usize = 600;

fn main() -> eframe::Result {
    let mut options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default().with_inner_size([960.0, 640.0]),
        renderer: eframe::Renderer::Wgpu,
        ..Default::default()
    };
    // The budget reads the GPU's clock where egui's device has it.
    if let WgpuSetup::CreateNew(setup) = &mut options.wgpu_options.wgpu_setup {
        let own = setup.device_descriptor.clone();
        setup.device_descriptor = Arc::new(move |adapter| {
            let mut descriptor = own(adapter);
            descriptor.required_features |= adapter.features() & wgpu::Features::TIMESTAMP_QUERY;
            descriptor
        });
    }
    eframe::run_native("wgrad in egui", options, Box::new(|cc| Ok(Box::new(App::new(cc)?))))
}

/// What is chosen in the panel; another choice is another network.
#[derive(Clone, PartialEq)]
struct Choice {
    dataset: Dataset,
    layers: Vec<usize>,
    activation: Activation,
    optimizer: &'static str,
    seed: u64,
}

struct App {
    gpu: Gpu,
    choice: Choice,
    made: Option<Choice>,
    rate: f64,
    budget: f32,
    paused: bool,
    message: Option<String>,
    /// Mean milliseconds of a frame with training and without.
    frame_time: [f32; 2],
}

/// What the paint callbacks share; it lies in egui's own resources.
struct Scene {
    trainer: Trainer,
    budget: FrameBudget,
    group: wgpu::BindGroup,
    map: wgpu::RenderPipeline,
    points: wgpu::RenderPipeline,
    curve: wgpu::RenderPipeline,
    told: FrameReport,
    fault: Option<Error>,
    steps: u64,
}

fn optimizer(name: &str, rate: f64) -> Optimizer {
    match name {
        "sgd" => Optimizer::sgd(rate),
        _ => Optimizer::adam(rate),
    }
}

impl App {
    fn new(
        cc: &eframe::CreationContext<'_>,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let state = cc.wgpu_render_state.as_ref().ok_or("this needs eframe's wgpu renderer")?;
        Ok(Self {
            gpu: Gpu::from_wgpu(&state.device, &state.queue)?,
            choice: Choice {
                dataset: Dataset::Circles,
                layers: vec![8, 8],
                activation: Activation::Tanh,
                optimizer: "adam",
                seed: 0,
            },
            made: None,
            rate: 0.01,
            budget: 2.0,
            paused: false,
            message: None,
            frame_time: [f32::NAN; 2],
        })
    }

    fn scene(&self, format: wgpu::TextureFormat) -> Result<Scene, Error> {
        let Choice { dataset, layers, activation, optimizer: kind, seed } = &self.choice;
        let data = dataset.sample(POINTS, 0)?;
        let mlp = layers.iter().fold(Mlp::new(2), |mlp, units| mlp.layer(*units, *activation));
        let mlp = mlp.layer(1, Activation::Sigmoid);
        let training = Training::new(Loss::BinaryCrossEntropy, optimizer(kind, self.rate))
            .init(Init::Auto)
            .seed(*seed)
            .history(1 << 16);
        let mut trainer = Trainer::new(&self.gpu, &mlp, &training, &data)?;
        trainer.warm_up()?;
        let budget = FrameBudget::new(&self.gpu, Duration::ZERO)?;
        let device = self.gpu.device();
        let bounds = data.x().chunks(2).fold([f32::MAX, f32::MIN], |[low, high], p| {
            [low.min(p[0]).min(p[1]), high.max(p[0]).max(p[1])]
        });
        let (centre, half) = ((bounds[0] + bounds[1]) / 2.0, (bounds[1] - bounds[0]) * 0.55);
        let text = format!(
            "{}\nconst CENTRE = f32({centre:?});\nconst HALF = f32({half:?});\n{}",
            trainer.wgsl("net").uniform().gradient().text()?,
            include_str!("scene.wgsl"),
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("scene"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let names =
            [Buffer::Parameters, Buffer::Inputs, Buffer::Targets, Buffer::Losses, Buffer::Status];
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &std::array::from_fn::<_, 5, _>(|binding| wgpu::BindGroupLayoutEntry {
                binding: binding as u32,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    // The parameters, which the network's function reads.
                    ty: match binding {
                        0 => wgpu::BufferBindingType::Uniform,
                        _ => wgpu::BufferBindingType::Storage { read_only: true },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            }),
        });
        let entries: Vec<_> = (0..)
            .zip(names.iter().filter_map(|name| trainer.buffer(*name)))
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &entries,
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let draw = |vertex, fragment, topology| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(fragment),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some(vertex),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState { topology, ..Default::default() },
                depth_stencil: None,
                multisample: Default::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format,
                        blend: Some(wgpu::BlendState::ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        use wgpu::PrimitiveTopology::{TriangleList, TriangleStrip};
        Ok(Scene {
            group,
            map: draw("whole", "map", TriangleList),
            points: draw("point", "disc", TriangleStrip),
            curve: draw("whole", "curve", TriangleList),
            trainer,
            budget,
            told: FrameReport::default(),
            fault: None,
            steps: 0,
        })
    }

    /// The panel's choices.
    fn choose(&mut self, ui: &mut egui::Ui) {
        let Choice { dataset, layers, activation, optimizer, seed } = &mut self.choice;
        ComboBox::from_label("data").selected_text(dataset.name()).show_ui(ui, |ui| {
            for one in Dataset::ALL {
                ui.selectable_value(dataset, *one, one.name());
            }
        });
        ComboBox::from_label("activation").selected_text(activation.name()).show_ui(ui, |ui| {
            for one in Activation::ALL {
                ui.selectable_value(activation, *one, one.name());
            }
        });
        ui.horizontal(|ui| {
            ui.label("hidden layers");
            if ui.button("−").clicked() {
                layers.pop();
            }
            if ui.button("+").clicked() && layers.len() < 6 {
                layers.push(8);
            }
        });
        ui.horizontal_wrapped(|ui| {
            for units in layers {
                ui.add(DragValue::new(units).range(1..=64));
            }
        });
        ComboBox::from_label("optimizer").selected_text(*optimizer).show_ui(ui, |ui| {
            for one in ["sgd", "adam"] {
                ui.selectable_value(optimizer, one, one);
            }
        });
        ui.horizontal(|ui| {
            ui.label("seed");
            ui.add(DragValue::new(seed));
        });
        ui.add(Slider::new(&mut self.rate, 1e-4..=3.0).logarithmic(true).text("learning rate"));
        ui.add(Slider::new(&mut self.budget, 0.1..=16.0).logarithmic(true).text("ms a frame"));
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let Some(state) = frame.wgpu_render_state() else { return };
        let dt = 1e3 * ui.input(|input| input.unstable_dt);
        let mean = &mut self.frame_time[usize::from(self.paused)];
        *mean = if mean.is_finite() { 0.95 * *mean + 0.05 * dt } else { dt };
        let mut reset = false;
        egui::Panel::left("choices").show(ui, |ui| {
            ui.heading("Network");
            self.choose(ui);
            ui.horizontal(|ui| {
                let label = if self.paused { "train" } else { "pause" };
                if ui.button(label).clicked() {
                    self.paused = !self.paused;
                }
                reset = ui.button("reset").clicked();
            });
            ui.separator();
            if let Some(scene) = state.renderer.read().callback_resources.get::<Scene>() {
                let step = scene.told.step.map_or(f64::NAN, |step| 1e6 * step.as_secs_f64());
                ui.label(format!("{}", scene.trainer.mlp()));
                ui.label(format!("{} steps, {} in this frame", scene.steps, scene.told.steps));
                ui.label(format!(
                    "a step {step:.1} µs, {}",
                    scene.trainer.plan().strategy().name()
                ));
            }
            let ms =
                |time: f32| if time.is_finite() { format!("{time:.1} ms") } else { "?".into() };
            let [training, pausing] = self.frame_time.map(ms);
            ui.label(format!("frame: {training} with training, {pausing} paused"));
            ui.label(format!("{}", self.gpu));
            if let Some(message) = &self.message {
                ui.colored_label(egui::Color32::RED, message);
            }
        });
        let mut renderer = state.renderer.write();
        let resources = &mut renderer.callback_resources;
        if self.made.as_ref() != Some(&self.choice) {
            // A choice that cannot be is said, and the last scene stays.
            match self.scene(state.target_format) {
                Ok(scene) => {
                    resources.insert(scene);
                    self.message = None;
                }
                Err(error) => self.message = Some(error.to_string()),
            }
            self.made = Some(self.choice.clone());
        }
        if let Some(scene) = resources.get_mut::<Scene>() {
            scene.budget.set_time(Duration::from_secs_f32(self.budget / 1e3));
            if self.paused {
                scene.budget.pause()
            } else {
                scene.budget.resume()
            }
            let changed = scene.trainer.set_optimizer(optimizer(self.choice.optimizer, self.rate));
            let done = changed.and_then(|()| {
                if reset {
                    let mlp = scene.trainer.mlp().clone();
                    scene.trainer.restart(&Init::Auto.sample(&mlp, 1, self.choice.seed)?)?;
                    scene.steps = 0;
                }
                Ok(())
            });
            if let Some(error) = done.err().or(scene.fault.take()) {
                self.message = Some(error.to_string());
            }
        }
        drop(renderer);
        egui::CentralPanel::default().show(ui, |ui| {
            let size = ui.available_size();
            let curve = 0.22 * size.y;
            let side = size.x.min(size.y - curve - 8.0);
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            let map = Rect::from_min_size(rect.min, vec2(side, side));
            let bottom = Rect::from_min_max(rect.left_bottom() - vec2(0.0, curve), rect.max);
            for (rect, part) in [(map, Part::Map), (bottom, Part::Curve)] {
                ui.painter().add(egui_wgpu::Callback::new_paint_callback(rect, part));
            }
            let text = egui::FontId::proportional(13.0);
            let colour = ui.visuals().text_color();
            let at = bottom.left_top() + vec2(6.0, 4.0);
            ui.painter().text(at, egui::Align2::LEFT_TOP, "loss, 0 to 0.8", text, colour);
        });
        ui.ctx().request_repaint();
    }
}

/// A paint callback: the map with its points, or the loss curve.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Map,
    Curve,
}

impl CallbackTrait for Part {
    fn prepare(
        &self,
        _device: &wgpu::Device,
        _queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        // Once a frame, into egui's own encoder, before its pass.
        if let (Self::Map, Some(scene)) = (self, resources.get_mut::<Scene>()) {
            match scene.budget.record(&mut scene.trainer, encoder) {
                Ok(told) => scene.told = told,
                Err(fault) => (scene.told, scene.fault) = (FrameReport::default(), Some(fault)),
            }
            scene.steps += u64::from(scene.told.steps);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _info: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let Some(scene) = resources.get::<Scene>() else { return };
        pass.set_bind_group(0, &scene.group, &[]);
        match self {
            Self::Map => {
                pass.set_pipeline(&scene.map);
                pass.draw(0..3, 0..1);
                pass.set_pipeline(&scene.points);
                pass.draw(0..4, 0..POINTS as u32);
            }
            Self::Curve => {
                pass.set_pipeline(&scene.curve);
                pass.draw(0..3, 0..1);
            }
        }
    }
}
