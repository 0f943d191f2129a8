//! Errors that wgpu reports late. Outside of a browser an error scope answers at once. In a browser
//! it answers by a promise, which is kept until it is settled.

use crate::gpu::lock;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[cfg(not(target_family = "wasm"))]
type Report = Pin<Box<dyn Future<Output = Option<wgpu::Error>> + Send>>;
#[cfg(target_family = "wasm")]
type Report = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// The reports that are still to come, and the first error among those that came.
#[derive(Default)]
pub(super) struct Reports {
    open: Vec<(String, Report)>,
    failed: Option<(String, wgpu::Error)>,
    tasks: Arc<Tasks>,
}

/// The tasks that wait for reports. A report wakes all of them: each may have to go on.
#[derive(Default)]
struct Tasks(Mutex<Vec<Waker>>);

impl Wake for Tasks {
    fn wake(self: Arc<Self>) {
        let tasks = std::mem::take(&mut *lock(&self.0));
        tasks.into_iter().for_each(Waker::wake);
    }
}

impl Reports {
    /// Takes a scope's report on `what`. It is kept where it is still to come.
    pub fn add(&mut self, what: &str, report: Report) {
        self.open.push((what.into(), report));
        self.look();
    }

    /// Removes the reports that have come.
    fn look(&mut self) {
        let waker = Waker::from(self.tasks.clone());
        let mut context = Context::from_waker(&waker);
        let failed = &mut self.failed;
        self.open.retain_mut(|(what, report)| match report.as_mut().poll(&mut context) {
            Poll::Pending => true,
            Poll::Ready(error) => {
                if let Some(error) = error {
                    failed.get_or_insert_with(|| (std::mem::take(what), error));
                }
                false
            }
        });
    }

    /// The first error, once all reports have come. It is given once.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Option<(String, wgpu::Error)>> {
        // Before the look: a report that comes in between wakes the task.
        lock(&self.tasks.0).push(waker.clone());
        self.look();
        if !self.open.is_empty() {
            return Poll::Pending;
        }
        lock(&self.tasks.0).retain(|task| !task.will_wake(waker));
        Poll::Ready(self.failed.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A scope whose answer comes when the test says so, as a browser's does.
    #[derive(Default)]
    struct Scope {
        answer: Option<Option<wgpu::Error>>,
        waker: Option<Waker>,
    }

    fn scope() -> (Arc<Mutex<Scope>>, Report) {
        let scope = Arc::new(Mutex::new(Scope::default()));
        let shared = scope.clone();
        let report = std::future::poll_fn(move |context| {
            let mut scope = lock(&shared);
            match scope.answer.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    scope.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        (scope, Box::pin(report))
    }

    fn answer(scope: &Mutex<Scope>, error: Option<&str>) {
        let mut scope = lock(scope);
        scope.answer =
            Some(error.map(|text| wgpu::Error::Validation {
                source: text.into(),
                description: text.into(),
            }));
        if let Some(waker) = scope.waker.take() {
            drop(scope);
            waker.wake();
        }
    }

    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_late_error_comes_out_once_and_wakes_every_task() {
        let mut reports = Reports::default();
        let (early, report) = scope();
        answer(&early, None);
        reports.add("early", report);
        assert!(reports.open.is_empty());
        let (first, report) = scope();
        reports.add("a kernel", report);
        let (second, report) = scope();
        reports.add("a buffer", report);
        let [one, two] = [(); 2].map(|()| Arc::new(Counter(AtomicUsize::new(0))));
        let [waker_one, waker_two] = [&one, &two].map(|counter| Waker::from(counter.clone()));
        assert!(reports.poll(&waker_one).is_pending() && reports.poll(&waker_two).is_pending());
        answer(&second, Some("of no memory"));
        answer(&first, Some("refused"));
        assert_eq!([&one, &two].map(|counter| counter.0.load(Ordering::Relaxed)), [1, 1]);
        match reports.poll(&waker_one) {
            Poll::Ready(Some((what, error))) => {
                // Both came; the first that was asked for is told.
                assert_eq!((what.as_str(), error.to_string().as_str()), ("a kernel", "refused"));
            }
            other => panic!("{}", other.is_pending()),
        }
        assert!(matches!(reports.poll(&waker_two), Poll::Ready(None)));
    }
}
