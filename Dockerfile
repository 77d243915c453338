# The patch release and the Debian are named; `docker buildx imagetools inspect` gives the digest to pin it further.
FROM python:3.11.17-slim-trixie

WORKDIR /srv

# From what changes least to what changes most, so that a new page does not reinstall OpenVINO.
COPY requirements-serve.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements-serve.txt \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin captioner

# Whatever wants a temporary folder finds one in memory, even with `docker run --read-only`.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    HOST=0.0.0.0 \
    PORT=5000

COPY artifacts artifacts
COPY model model
COPY web web
COPY templates templates
COPY static static
COPY app.py gunicorn.conf.py ./

# By number, so that Kubernetes can tell that it is not root. It owns no file here, and any other user would do.
USER 10001
EXPOSE 5000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=4)"]
CMD ["gunicorn", "--config", "gunicorn.conf.py", "app:create_app()"]
