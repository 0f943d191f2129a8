//! A page that trains between its frames and draws what the network has learnt.

use crate::device::Device;
use crate::{Outcome, ensure};
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use wgrad::{
    Activation, CpuTrainer, Data, Dataset, Loss, Mlp, Optimizer, Strategy, Train, TrainBase,
    Trainer, Training, wgpu,
};

const FRAMES: u32 = 200;
/// Pixels of a side: a row of them has the 256 bytes that a copy demands.
const SIDE: u32 = 64;

/// Waits for the page's next frame; outside of a page, for the next turn of the loop of events.
pub async fn next_frame() {
    let wait = |resolve: js_sys::Function, _| {
        let asked = web_sys::window().map(|window| window.request_animation_frame(&resolve));
        if asked.is_none() {
            let global = js_sys::global();
            let later = js_sys::Reflect::get(&global, &"setTimeout".into());
            let later = later.expect("setTimeout").unchecked_into::<js_sys::Function>();
            later.call1(&global, &resolve).expect("a turn of the loop of events");
        }
    };
    JsFuture::from(js_sys::Promise::new(&mut { wait })).await.expect("a frame");
}

fn canvas() -> Option<web_sys::HtmlCanvasElement> {
    let document = web_sys::window()?.document()?;
    let canvas = document.create_element("canvas").ok()?;
    document.document_element()?.append_child(&canvas).ok()?;
    let canvas = canvas.unchecked_into::<web_sys::HtmlCanvasElement>();
    canvas.set_width(SIDE);
    canvas.set_height(SIDE);
    Some(canvas)
}

fn trainer(device: &Device, data: &Data) -> wgrad::Result<Trainer> {
    let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02)).seed(1);
    Trainer::new(&device.gpu, &mlp, &training.strategy(Strategy::Fused), data)
}

/// The first byte of each pixel, as the network of the trainer gives it in f64.
async fn expected(trainer: &mut Trainer, data: &Data) -> Result<Vec<f64>, Box<dyn Error>> {
    let parameters = trainer.parameters_async().await?.cast()?;
    let mut cpu = CpuTrainer::<f64>::new(parameters.mlp(), trainer.training(), &data.cast()?)?;
    cpu.set_parameters(&parameters)?;
    let at = |pixel: u32| 2.0 * (f64::from(pixel) + 0.5) / f64::from(SIDE) - 1.0;
    let points: Vec<_> = (0..SIDE * SIDE).flat_map(|i| [at(i % SIDE), at(i / SIDE)]).collect();
    Ok(cpu.predict(&points)?.into_iter().map(|y| 255.0 * y).collect())
}

pub async fn frames_show_what_was_learnt() -> Outcome {
    let instance = wgpu::Instance::default();
    let canvas = canvas();
    let surface = canvas.map(|canvas| instance.create_surface(wgpu::SurfaceTarget::Canvas(canvas)));
    let surface = surface.transpose()?;
    let (device, adapter) = Device::new(&instance, surface.as_ref()).await?;
    let (wgpu_device, queue) = (device.gpu.device(), device.gpu.queue());
    let mut format = wgpu::TextureFormat::Rgba8Unorm;
    let usage = wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC;
    if let Some(surface) = &surface {
        let config = surface.get_default_config(&adapter, SIDE, SIDE).ok_or("no canvas")?;
        format = config.format.remove_srgb_suffix();
        surface.configure(wgpu_device, &wgpu::SurfaceConfiguration { usage, format, ..config });
    }
    let size = wgpu::Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 };
    let texture = wgpu_device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage,
        view_formats: &[],
    });

    let data = Dataset::Xor.sample(500, 1)?;
    let mut trainer = trainer(&device, &data)?;
    let function = trainer.wgsl("network").text()?;
    let text = format!(
        "{function}
        @vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{
            return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
        }}
        @fragment fn pixel(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{
            let at = 2.0 * p.xy / {SIDE}.0 - 1.0;
            return vec4<f32>(vec3<f32>(network(array<f32, 2>(at.x, at.y))[0]), 1.0);
        }}"
    );
    let module = wgpu_device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let pipeline = wgpu_device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: None,
        layout: None,
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            targets: &[Some(format.into())],
        }),
        multiview_mask: None,
        cache: None,
    });
    let group = wgpu_device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry {
            binding: 0,
            resource: trainer.parameter_buffer().as_entire_binding(),
        }],
    });
    let pixels = wgpu_device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(4 * SIDE * SIDE),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });

    let (mut worst, mut looks) = (0.0_f64, 0);
    for frame in 0..FRAMES {
        let shown = match surface.as_ref().map(wgpu::Surface::get_current_texture) {
            None => None,
            Some(wgpu::CurrentSurfaceTexture::Success(shown)) => Some(shown),
            Some(other) => return Err(format!("frame {frame}: the canvas gives {other:?}").into()),
        };
        let target = shown.as_ref().map_or(&texture, |shown| &shown.texture);
        let mut encoder = wgpu_device.create_command_encoder(&Default::default());
        trainer.record(&mut encoder, 2);
        {
            let view = target.create_view(&Default::default());
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, 0..1);
        }
        let look = frame % 40 == 0 || frame + 1 == FRAMES;
        if look {
            let layout = wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(4 * SIDE),
                rows_per_image: None,
            };
            let into = wgpu::TexelCopyBufferInfo { buffer: &pixels, layout };
            encoder.copy_texture_to_buffer(target.as_image_copy(), into, size);
        }
        queue.submit([encoder.finish()]);
        if let Some(shown) = shown {
            queue.present(shown);
        }
        if look {
            let found = read(&pixels).await?;
            let expected = expected(&mut trainer, &data).await?;
            for (i, (found, expected)) in found.chunks(4).zip(&expected).enumerate() {
                let error = (f64::from(found[0]) - expected).abs();
                ensure!(error <= 1.0, "frame {frame}, pixel {i}: {found:?} for {expected}");
                worst = worst.max(error);
            }
            looks += 1;
        }
        next_frame().await;
    }
    let losses = trainer.losses_async().await?;
    ensure!(losses.values.len() == 2 * FRAMES as usize, "{} losses", losses.values.len());
    let [first, last] = [losses.values[0], losses.last()[0]];
    ensure!(last < 0.5 * first, "learnt nothing: {first} to {last}");
    device.check_silent()?;
    let place = if surface.is_some() { "a canvas" } else { "a texture" };
    Ok(format!("{FRAMES} frames on {place}, {looks} looked at, off by {worst:.2} of 255"))
}

async fn read(buffer: &wgpu::Buffer) -> Result<Vec<u8>, Box<dyn Error>> {
    let mapped = js_sys::Promise::new(&mut |resolve, reject| {
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            let answer: js_sys::Function = if result.is_ok() { resolve } else { reject };
            answer.call0(&JsValue::NULL).expect("an answer");
        });
    });
    JsFuture::from(mapped).await.map_err(|_| "the pixels could not be read")?;
    let bytes = buffer.get_mapped_range(..).map(|view| view.to_vec())?;
    buffer.unmap();
    Ok(bytes)
}

/// A page goes on recording while readbacks are under way.
pub async fn a_readback_leaves_the_trainer_free() -> Outcome {
    let device = Device::plain().await?;
    let mut trainer = trainer(&device, &Dataset::Xor.sample(500, 1)?)?;
    let answers: Rc<RefCell<Vec<wgrad::Result<usize>>>> = Rc::default();
    let mut recorded_meanwhile = 0;
    for _ in 0..20 {
        let mut encoder = device.gpu.device().create_command_encoder(&Default::default());
        trainer.record(&mut encoder, 3);
        device.gpu.queue().submit([encoder.finish()]);
        let (losses, answers) = (trainer.losses_async(), answers.clone());
        spawn_local(async move {
            let found = losses.await.map(|losses| losses.values.len());
            answers.borrow_mut().push(found);
        });
        recorded_meanwhile += 1;
    }
    let waiting = recorded_meanwhile - answers.borrow().len();
    while answers.borrow().len() < recorded_meanwhile {
        next_frame().await;
    }
    for (i, answer) in answers.borrow().iter().enumerate() {
        ensure!(*answer == Ok(3 * (i + 1)), "readback {i}: {answer:?}");
    }
    device.check_silent()?;
    Ok(format!("{waiting} readbacks under way while frames were recorded"))
}
