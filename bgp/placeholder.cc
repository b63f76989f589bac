namespace fipd {}
