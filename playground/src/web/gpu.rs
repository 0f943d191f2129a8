//! The browser's GPU: one device that all trainings of a page share.

use super::adapter::adapter;
use super::js::{field, object};
use crate::error::Error;
use js_sys::Function;
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
use wgrad::{Capabilities, Gpu, self_check_async};

/// A device, and what the browser says of it.
#[derive(Clone)]
pub struct Shared {
    pub gpu: Gpu,
    /// Vendor and architecture.
    pub text: String,
}

thread_local! {
    static SHARED: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// The page's device; a new one where there is none yet, or where it was lost.
pub async fn shared() -> Result<Shared, Error> {
    if let Some(shared) = SHARED.with_borrow(Clone::clone)
        && shared.gpu.check_async().await.is_ok()
    {
        return Ok(shared);
    }
    let (text, software) = adapter().await?;
    let gpu = Gpu::new_async().await?;
    // Its compilers choke on large kernels, which are made for hardware.
    let own = gpu.capabilities().clone();
    let gpu = if software { gpu.planned_for(&Capabilities { software, ..own }) } else { gpu };
    let shared = Shared { gpu, text };
    SHARED.set(Some(shared.clone()));
    Ok(shared)
}

/// Destroys a device.
pub fn lose(gpu: &Gpu) {
    gpu.device().destroy();
    gpu.lost_handle().device_lost();
}

/// Checks this browser's GPU against the CPU.
#[wasm_bindgen]
pub async fn self_check(progress: Function) -> Result<JsValue, JsValue> {
    let shared = shared().await?;
    let mut done = 0_u32;
    let mut thrown = Ok(JsValue::UNDEFINED);
    let check = self_check_async(&shared.gpu, |check| {
        done += 1;
        if thrown.is_ok() {
            let arguments = [done.into(), check.name.as_str().into(), check.passed().into()];
            thrown = progress.call3(&JsValue::NULL, &arguments[0], &arguments[1], &arguments[2]);
        }
    })
    .await;
    thrown?;
    let browser = field(&field(&js_sys::global(), "navigator"), "userAgent");
    let browser = browser.as_string().unwrap_or_default();
    let text = format!("{check}GPU: {}\nbrowser: {browser}\n", shared.text);
    Ok(object(&[("text", text.into()), ("passed", check.passed().into())]))
}
