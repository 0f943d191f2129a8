//! A network of 8 hidden units learns XOR: train, print the loss, predict the four points.

use wgrad::{Activation, CpuTrainer, Data, Gpu, Loss, Mlp, Optimizer, Train, Trainer, Training};

fn main() -> wgrad::Result<()> {
    let points = vec![0., 0., 0., 1., 1., 0., 1., 1.];
    let xor = Data::new(2, 1, points, vec![0., 1., 1., 0.])?;
    let mlp = Mlp::new(2).layer(8, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02));

    let mut trainer: Box<dyn Train<Scalar = f32>> = match Gpu::new() {
        Ok(gpu) => Box::new(Trainer::new(&gpu, &mlp, &training, &xor)?),
        Err(error) => {
            println!("{error}: using the CPU");
            Box::new(CpuTrainer::<f32>::new(&mlp, &training, &xor)?)
        }
    };
    trainer.train(500)?;
    println!("{}: loss {:.4}", trainer.device(), trainer.losses()?.last()[0]);
    for (point, output) in xor.x().chunks(2).zip(trainer.predict(xor.x())?) {
        println!("{point:?} -> {output:.3}");
    }
    Ok(())
}
