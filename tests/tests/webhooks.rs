//! Webhooks over HTTP against a receiver that fails, hangs up, asks for rest, leaves and verifies. Time is an argument: a ladder of
//! three days takes a second.

#[cfg(test)]
mod webhooks {
    mod bench;

    mod answers;
    mod guard;
    mod secrets;
}
