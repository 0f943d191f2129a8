//! Lets futures of one thread use a value one after another, in the order in which they asked.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// A value that futures use in turn.
pub struct Turns<T> {
    value: Cell<Option<T>>,
    next: Cell<u64>,
    serving: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Waker>>,
}

/// A place in the row.
#[derive(Debug)]
pub struct Ticket(u64);

impl<T> Turns<T> {
    /// Nobody waits for `value` yet.
    pub const fn new(value: T) -> Self {
        Self {
            value: Cell::new(Some(value)),
            next: Cell::new(0),
            serving: Cell::new(0),
            waiting: RefCell::new(BTreeMap::new()),
        }
    }

    /// Takes a place in the row. Its turn must be waited for, or no later one comes.
    pub fn ticket(&self) -> Ticket {
        Ticket(self.next.replace(self.next.get() + 1))
    }

    /// Waits for a ticket's turn and calls `f` with the value; `None` where an earlier turn was not
    /// ended.
    pub async fn turn<R>(
        &self,
        Ticket(ticket): Ticket,
        f: impl AsyncFnOnce(&mut T) -> R,
    ) -> Option<R> {
        poll_fn(|context| {
            if self.serving.get() == ticket {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().insert(ticket, context.waker().clone());
            Poll::Pending
        })
        .await;
        let mut result = None;
        if let Some(mut value) = self.value.take() {
            result = Some(f(&mut value).await);
            self.value.set(Some(value));
        }
        self.serving.set(ticket + 1);
        let next = self.waiting.borrow_mut().remove(&(ticket + 1));
        if let Some(waker) = next {
            waker.wake();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::Context;

    #[test]
    fn turns_come_in_the_order_of_the_tickets() {
        let turns = Turns::new(Vec::new());
        let [first, second] = [turns.ticket(), turns.ticket()];
        let mut late = pin!(turns.turn(second, async |row: &mut Vec<u8>| row.push(2)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(late.as_mut().poll(&mut context).is_pending());
        let early = pin!(turns.turn(first, async |row: &mut Vec<u8>| row.push(1)));
        assert!(early.poll(&mut context).is_ready());
        assert!(late.as_mut().poll(&mut context).is_ready());
        assert_eq!(turns.value.take(), Some(vec![1, 2]));
    }
}
