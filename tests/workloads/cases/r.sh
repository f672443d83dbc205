# image: languages

cat > main.R <<'END'
set.seed(1)
x <- rnorm(1000); y <- 2 * x + rnorm(1000)
print(round(coef(lm(y ~ x)), 4))
m <- matrix(runif(250000), 500)
print(round(det(m[1:5, 1:5]), 6)); print(max(abs(solve(m) %*% m - diag(500))) < 1e-6)
library(parallel)
print(unlist(mclapply(1:4, function(i) i^2, mc.cores = 2)))
cl <- makeCluster(2); print(unlist(parLapply(cl, 1:3, function(i) i * 10))); stopCluster(cl)
cat(system("echo sub", intern = TRUE), "\n")
f <- tempfile(); saveRDS(x, f); print(identical(x, readRDS(f)))
print(tryCatch({ g <- function(n) g(n + 1); g(0) }, error = function(e) "too deep"))
pdf("a.pdf"); plot(x, y); invisible(dev.off()); print(file.exists("a.pdf"))
print(Sys.info()[["user"]]); print(getwd()); print(basename(normalizePath("/proc/self/exe")))
print(read.table(pipe("printf 'a b\n1 2\n'"), header = TRUE))
END
Rscript main.R
